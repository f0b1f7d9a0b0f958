//! What the writer of AdapterHub folders is told in addition to the adapter and the backbone.

use peft_core::setters;
use smart_default::SmartDefault;

/// Options of [`write_adapterhub`](crate::files::write_adapterhub): the names that `adapter_config.json` gives to the adapter
/// and to the kind of backbone.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault)]
pub struct AdapterHubOptions {
    /// The adapter's name, without dots. Default `task`.
    #[default("task")]
    pub name: String,
    /// The family of the backbone. Default `t5`.
    #[default("t5")]
    pub model_type: String,
    /// The class of the backbone. Default `T5ForConditionalGeneration`.
    #[default("T5ForConditionalGeneration")]
    pub model_class: String,
}

impl AdapterHubOptions {
    /// A T5 with an adapter of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

setters! {
    AdapterHubOptions {
        model_type => model_type: String,
        model_class => model_class: String,
    }
}
