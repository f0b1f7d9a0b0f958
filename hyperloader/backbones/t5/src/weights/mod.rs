//! Where the parameters of the backbone come from, and which of them train.

mod files;
mod loading;
mod source;
mod table;
mod trainable;

pub use loading::Loading;
pub use source::Weights;
pub(crate) use source::is_linear_map;
pub use table::TableFile;
pub use trainable::Trainable;
