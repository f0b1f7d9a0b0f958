//! The weights that a model asks for, as variables.

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use peft_core::ParamStore;

/// Random weights of the sizes that trained models have, each a variable under the name that the model asks for.
#[derive(Debug, Clone)]
pub(crate) struct Variables(ParamStore);

impl Variables {
    /// No weights yet.
    pub(crate) fn new() -> Self {
        Self(ParamStore::new(5, &Device::Cpu))
    }

    /// A builder whose weights become variables.
    pub(crate) fn var_builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, Device::Cpu)
    }

    /// The variables so far, sorted by name.
    pub(crate) fn vars(&self) -> Vec<(String, Var)> {
        self.0.vars()
    }
}

impl SimpleBackend for Variables {
    fn get(&self, shape: Shape, name: &str, _: Init, _: DType, _: &Device) -> Result<Tensor> {
        if name.starts_with("freq_cis") {
            candle_core::bail!("{name} is computed if a checkpoint does not have it");
        }
        let fan_in: usize = shape.dims().iter().skip(1).product();
        let (mean, stdev) = match shape.rank() {
            0 | 1 if name.ends_with("weight") => (1., 0.1),
            0 | 1 => (0., 0.1),
            _ => (0., (fan_in as f64).powf(-0.5)),
        };
        let var = self.0.get_or_init(name, &shape, Init::Randn { mean, stdev }).map_err(candle_core::Error::wrap)?;
        // Its gradient is an error of candle unless the image has the size of pretraining.
        let is_frozen = name == "pos_embed";
        Ok(if is_frozen { var.copy()?.detach() } else { var })
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        candle_core::bail!("{name}: no shape was given")
    }

    fn contains_tensor(&self, name: &str) -> bool {
        name.ends_with("class_embedding") || name == "logit_scale"
    }
}
