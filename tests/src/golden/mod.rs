//! Golden folders: models, inputs and results of the plain-PyTorch reference.
//!
//! A folder is self-describing: sizes, ranks, tasks and modes are read from its `golden.json`, never assumed.

mod describe;
mod folder;
mod names;

pub use describe::{Backbone, Description, Peft};
pub use folder::{Golden, folders};
