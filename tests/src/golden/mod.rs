//! Golden folders: models, inputs and results of the plain-PyTorch reference.
//!
//! A folder is self-describing: sizes, ranks, tasks and modes are read from its `golden.json`, never assumed.

mod describe;
mod folder;
mod names;
mod places;
pub mod steps;
mod trial;

pub use describe::{Backbone, Description, Peft};
pub use folder::{COMMITTED, Golden, folders};
pub(crate) use places::folders_with;
pub use places::{Lookup, REQUIRED, committed, lookup, require};
pub use trial::trial;
