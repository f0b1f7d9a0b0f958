//! Whence the parameters of the backbone come, and which of them train.

mod files;
mod save;
mod source;
mod trainable;

pub use save::save_backbone;
pub use source::Weights;
pub use trainable::Trainable;
