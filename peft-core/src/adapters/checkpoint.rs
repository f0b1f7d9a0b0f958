//! Methods with their static weights, as files hold them.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use crate::{
    AdapterWeights, Condition, GeneratorConfig, ParamStore, PeftConfig, Plan, Result, Sites, StaticConfig, Tasks,
};

/// Methods with one set of static weights: the contents of an adapter folder of Hugging Face `peft` or AdapterHub.
///
/// Weights have the names that [`StaticConfig`] gives them: `base_model.model.<site path>.<weight>`.
#[derive(Debug, Default)]
pub struct AdapterCheckpoint {
    /// The methods.
    pub methods: Vec<Box<dyn PeftConfig>>,
    /// Their weights by name.
    pub weights: BTreeMap<String, Tensor>,
}

impl AdapterCheckpoint {
    /// Which method acts where on a backbone with these sites.
    ///
    /// # Errors
    /// As [`Plan::resolve`].
    pub fn plan(&self, sites: &Sites) -> Result<Plan> {
        Plan::resolve(sites, &self.methods)
    }

    /// The adapter on a backbone with these sites. Every weight must be used, and none may be missing.
    ///
    /// # Errors
    /// As [`Plan::resolve`]; [`Error::MissingKeys`](crate::Error::MissingKeys),
    /// [`Error::UnknownKeys`](crate::Error::UnknownKeys) or [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if
    /// methods, weights and backbone do not fit each other.
    pub fn build(&self, sites: &Sites, device: &Device) -> Result<(Plan, AdapterWeights)> {
        let plan = self.plan(sites)?;
        let store = ParamStore::from_tensors(self.weights.clone(), device);
        let one = Tasks::new(["adapter"]);
        let generator = StaticConfig::default().build(&plan, &one, store.var_builder()).map_err(unwrapped)?;
        store.check_all_used()?;
        let weights = generator.generate(&Condition::Task(0))?.detach();
        Ok((plan, weights))
    }
}

/// The error that a `VarBuilder` wrapped, with its own message.
fn unwrapped(error: crate::Error) -> crate::Error {
    match error {
        crate::Error::Candle(candle_core::Error::Wrapped(inner)) => crate::Error::Mismatch(inner.to_string()),
        other => other,
    }
}
