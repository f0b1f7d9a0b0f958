//! A model with everything around it: from a configuration to something that trains, from a run folder to something that
//! labels.

mod device;
mod label;
mod load;
mod pretrain;
mod score;
mod train;

pub use device::open_device;
pub use load::Session;
pub use pretrain::{PretrainReport, pretrain};
pub use score::{score_run, select_tasks};
pub use train::{RunOptions, train};
