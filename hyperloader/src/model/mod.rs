//! Models in folders and on the hub, and batches for them.
//!
//! - `source`: opens a backbone by its name; `hub`: the Hugging Face hub.
//! - `pretrained`: models with their methods, to and from folders.
//! - `batch`: tagged sentences as batches.
//! - `inventory`: counts parameters without loading them.
//! - `precision`: the types of frozen matrices.

#[cfg_attr(not(test), warn(clippy::disallowed_methods))]
mod batch;
#[cfg(feature = "hub")]
mod hub;
#[cfg(not(feature = "hub"))]
#[path = "no_hub.rs"]
mod hub;
mod inventory;
mod precision;
mod pretrained;
mod source;

pub use batch::{batch_of, labelling_batch};
pub use inventory::{Group, Inventory, ParamCount};
pub use precision::Precision;
pub use pretrained::{FromPretrained, SavePretrained, TokenizerFromPretrained};
pub(crate) use source::tokenizer_path;
pub use source::{BackboneSource, ModelName, built_in_or_file, check_vocabulary, open_tokenizer, shape_of};
