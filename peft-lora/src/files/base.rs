//! The backbone that an adapter's files belong to.

use std::collections::BTreeMap;

use candle_core::Tensor;
use peft_core::{Error, Result, Sites, Stack};

/// `peft`'s `task_type` of an encoder-decoder.
pub const SEQ_2_SEQ_LM: &str = "SEQ_2_SEQ_LM";

/// What reading and writing adapter files need to know about the backbone.
///
/// ```
/// use peft_core::toy::toy_sites;
/// use peft_lora::files::BaseModel;
///
/// let sites = toy_sites(2, 8);
/// let base = BaseModel::new(&sites).name("t5-small");
/// # let _ = base;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct BaseModel<'a> {
    /// Where methods may act.
    pub sites: &'a Sites,
    /// The backbone's parameters by name. Only DoRA and `modules_to_save` need them: their files hold `m` and `W + ΔW`, while
    /// our weights are `m - ‖W‖` and `ΔW`.
    pub tensors: Option<&'a BTreeMap<String, Tensor>>,
    /// The name that `adapter_config.json` gives to the backbone. `peft` does not need it to load the adapter.
    pub name: Option<&'a str>,
}

impl<'a> BaseModel<'a> {
    /// A backbone with these sites, without tensors or a name.
    pub fn new(sites: &'a Sites) -> Self {
        Self { sites, tensors: None, name: None }
    }

    /// Sets [`tensors`](Self::tensors).
    #[must_use]
    pub fn tensors(self, tensors: &'a BTreeMap<String, Tensor>) -> Self {
        Self { tensors: Some(tensors), ..self }
    }

    /// Sets [`name`](Self::name).
    #[must_use]
    pub fn name(self, name: &'a str) -> Self {
        Self { name: Some(name), ..self }
    }

    /// `peft`'s word for what the backbone does: `SEQ_2_SEQ_LM` with an encoder and a decoder, `CAUSAL_LM` with a decoder only;
    /// otherwise unknown.
    pub fn task_type(&self) -> Option<&'static str> {
        let stacks = self.sites.stacks();
        match (stacks.contains(&&Stack::ENCODER), stacks.contains(&&Stack::DECODER)) {
            (true, true) => Some(SEQ_2_SEQ_LM),
            (false, true) => Some("CAUSAL_LM"),
            (_, false) => None,
        }
    }

    /// The parameter called `name`, without its gradient graph.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if no tensors were given; [`Error::MissingKeys`] if there is none of that name.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let tensors = self.tensors.ok_or_else(|| {
            Error::Mismatch(format!(
                "{name} is needed: these files hold values relative to the backbone's weights; pass its tensors"
            ))
        })?;
        tensors.get(name).map(Tensor::detach).ok_or_else(|| Error::MissingKeys { keys: vec![name.to_owned()] })
    }
}
