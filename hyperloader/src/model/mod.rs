//! A T5 backbone, the methods on it and the generator of their weights, as one model.

mod hub;
mod inventory;
mod peft_t5;
mod source;

pub use inventory::{Group, Inventory, ParamCount};
pub use peft_t5::{Parts, PeftT5, TensorBatch};
pub use source::{Backbone, ModelName, built_in_or_file, check_vocabulary, open_tokenizer, shape_of};
