//! The one weight of prompt and prefix tuning, `prompt_embeddings`, and the fields that say which shape it has.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use candle_core::{DType, Tensor};
use peft_core::{Error, Result, SiteKind, Sites};
use peft_lora::files::{BaseModel, PeftFolder, SEQ_2_SEQ_LM};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::files::json::with;
use crate::prompt::PROMPT_EMBEDDINGS;

/// The parts of an encoder-decoder that `peft` makes prompts for.
pub(super) const SUBMODULES: usize = 2;

/// What is read of `adapter_config.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    pub(super) peft_type: String,
    task_type: Option<String>,
    num_virtual_tokens: Option<NonZeroUsize>,
    num_transformer_submodules: Option<usize>,
    pub(super) num_layers: Option<usize>,
    modules_to_save: Option<Vec<String>>,
}

impl Fields {
    /// Refuses whole weights next to the prompt.
    pub(super) fn check(&self, folder: &PeftFolder) -> Result<()> {
        match self.modules_to_save.as_ref().is_some_and(|modules| !modules.is_empty()) {
            true => Err(folder.unsupported("modules_to_save is set, which is not supported together with prompts")),
            false => Ok(()),
        }
    }

    pub(super) fn tokens(&self, folder: &PeftFolder) -> Result<NonZeroUsize> {
        self.num_virtual_tokens.ok_or_else(|| folder.unsupported("num_virtual_tokens is missing"))
    }

    /// One part, or two for an encoder-decoder.
    pub(super) fn submodules(&self, folder: &PeftFolder) -> Result<usize> {
        let by_task = if self.task_type.as_deref() == Some(SEQ_2_SEQ_LM) { SUBMODULES } else { 1 };
        match self.num_transformer_submodules.unwrap_or(by_task) {
            n @ (1 | 2) => Ok(n),
            n => Err(folder.unsupported(format!("num_transformer_submodules is {n}, expected 1 or 2"))),
        }
    }
}

/// What a method writes: the table, and the fields that only its configuration has.
pub(super) struct Written {
    pub(super) num_virtual_tokens: usize,
    pub(super) table: Tensor,
    pub(super) fields: Value,
}

impl Written {
    /// The fields of the configuration, and the weights by name.
    pub(super) fn into_parts(self) -> (Value, BTreeMap<String, Tensor>) {
        let fields = with(self.fields, json!({"num_virtual_tokens": self.num_virtual_tokens}));
        (fields, [(PROMPT_EMBEDDINGS.to_owned(), self.table)].into())
    }
}

/// The only weight of the folder, of shape `dims`.
pub(super) fn read(folder: &PeftFolder, base: &BaseModel<'_>, dims: [usize; 2]) -> Result<Tensor> {
    let tensors = folder.wanted(|name| name == PROMPT_EMBEDDINGS, base)?;
    let key = || PROMPT_EMBEDDINGS.to_owned();
    let table = tensors.get(PROMPT_EMBEDDINGS).ok_or_else(|| Error::MissingKeys { keys: vec![key()] })?;
    if table.dims() != dims {
        return Err(Error::ShapeMismatch { key: key(), expected: dims.to_vec(), found: table.dims().to_vec() });
    }
    Ok(table.to_dtype(DType::F32)?)
}

/// The heads of the backbone's attention.
pub(super) fn heads(sites: &Sites) -> Option<usize> {
    sites.iter().find_map(|site| match site.kind {
        SiteKind::KeyValue { heads, .. } => Some(heads),
        _ => None,
    })
}
