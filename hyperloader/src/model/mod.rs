//! A T5 backbone, the methods on it and the generator of their weights, as one model.

#[cfg(feature = "hub")]
mod hub;
#[cfg(not(feature = "hub"))]
#[path = "no_hub.rs"]
mod hub;
mod inventory;
mod peft_t5;
mod precision;
mod source;

pub use inventory::{Group, Inventory, ParamCount};
pub use peft_t5::{Parts, PeftT5, TensorBatch};
pub use precision::Precision;
pub use source::{Backbone, ModelName, built_in_or_file, check_vocabulary, open_tokenizer, shape_of};
