//! The weights that a model asked for when it was built first, and a builder that hands them out again.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

/// The weights of a model, by their names in the checkpoint.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) weights: BTreeMap<String, Tensor>,
    /// What the first builder answered when the model asked whether it has a weight. The model must hear the same again.
    pub(super) has: BTreeMap<String, bool>,
    pub(super) dtype: DType,
    pub(super) device: Device,
    /// Where the weights come from, if that has a name.
    pub(super) name: Option<String>,
}

impl Base {
    /// A builder that gives `changed` weights where there are such, and the base's own otherwise. Nothing is copied.
    pub(super) fn var_builder(self: &Arc<Self>, changed: BTreeMap<String, Tensor>) -> VarBuilder<'static> {
        let backend = Served { base: self.clone(), changed };
        VarBuilder::from_backend(Box::new(backend), self.dtype, self.device.clone())
    }
}

/// What the builder reads.
struct Served {
    base: Arc<Base>,
    changed: BTreeMap<String, Tensor>,
}

impl SimpleBackend for Served {
    fn get(&self, s: Shape, name: &str, _: Init, dtype: DType, dev: &Device) -> candle_core::Result<Tensor> {
        let found = self.get_unchecked(name, dtype, dev)?;
        if found.shape() == &s {
            return Ok(found);
        }
        let (expected, found) = (s.dims(), found.dims());
        candle_core::bail!(
            "{name}: expected shape {expected:?}, found {found:?}, which the model asked for when it was wrapped"
        )
    }

    fn get_unchecked(&self, name: &str, dtype: DType, dev: &Device) -> candle_core::Result<Tensor> {
        match self.changed.get(name).or_else(|| self.base.weights.get(name)) {
            // Gradients pass through a cast. Without a cast this is the tensor itself.
            Some(weight) => weight.to_device(dev)?.to_dtype(dtype),
            None => candle_core::bail!(
                "no weight {name}: the model did not ask for it when it was wrapped, or the weights lack it"
            ),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.base.has.get(name).copied().unwrap_or_else(|| self.base.weights.contains_key(name))
    }
}
