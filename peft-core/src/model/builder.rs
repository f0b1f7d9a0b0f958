//! How a [`PeftModel`] is put together.

use std::collections::BTreeMap;
use std::fmt;

use candle_core::Tensor;

use super::{PeftModel, PeftParts};
use crate::{Backbone, GeneratorConfig, ParamStore, PeftConfig, Result, StaticConfig, Tasks};

/// Puts a [`PeftModel`] together. Without tasks and a generator, the model has one task called `default` and static weights.
#[must_use = "nothing is built before `build`"]
pub struct PeftModelBuilder<B> {
    backbone: B,
    parts: PeftParts,
    seed: u64,
    weights: Option<BTreeMap<String, Tensor>>,
    covers: Option<Box<dyn Fn(&str) -> bool>>,
}

impl<B: Backbone> PeftModelBuilder<B> {
    pub(super) fn new(backbone: B) -> Self {
        let parts = PeftParts {
            methods: Vec::new(),
            generator: Box::new(StaticConfig::default()),
            tasks: Tasks::new([super::DEFAULT_ADAPTER]),
        };
        Self { backbone, parts, seed: 0, weights: None, covers: None }
    }

    /// Adds a method. Methods act in the order in which they were added.
    pub fn method(mut self, method: impl PeftConfig + 'static) -> Self {
        self.parts.methods.push(Box::new(method));
        self
    }

    /// Adds methods that are known only at run time.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Box<dyn PeftConfig>>) -> Self {
        self.parts.methods.extend(methods);
        self
    }

    /// Names the tasks.
    pub fn tasks<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.parts.tasks = Tasks::new(names);
        self
    }

    /// Says where the weights come from, such as a hypernetwork.
    pub fn generator(mut self, generator: impl GeneratorConfig + 'static) -> Self {
        self.parts.generator = Box::new(generator);
        self
    }

    /// Takes methods, tasks and generator from another model or from a file.
    pub fn parts(mut self, parts: PeftParts) -> Self {
        self.parts = parts;
        self
    }

    /// The seed of initial values. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Begins at these values instead of seeded ones. Every variable must be among them, and every one of them used.
    pub fn weights(mut self, weights: BTreeMap<String, Tensor>) -> Self {
        self.weights = Some(weights);
        self
    }

    /// Also trains the backbone's parameters whose names `covers` accepts. Default: none.
    pub fn train_backbone(mut self, covers: impl Fn(&str) -> bool + 'static) -> Self {
        self.covers = Some(Box::new(covers));
        self
    }

    /// The model.
    ///
    /// # Errors
    /// If a method matches no site, a configuration cannot work, or a given weight is missing, unknown or has another shape.
    pub fn build(self) -> Result<PeftModel<B>> {
        let device = self.backbone.device().clone();
        let store = match self.weights {
            None => ParamStore::new(self.seed, &device),
            Some(given) => ParamStore::from_tensors(given, &device),
        };
        let backbone = match self.covers {
            None => self.backbone,
            Some(covers) => self.backbone.train(&*covers, &store)?,
        };
        let model = PeftModel::new(backbone, self.parts, &store, store.var_builder())?;
        store.check_all_used()?;
        Ok(model)
    }
}

impl<B: fmt::Debug> fmt::Debug for PeftModelBuilder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backbone, parts, seed, .. } = self;
        f.debug_struct("PeftModelBuilder")
            .field("backbone", backbone)
            .field("parts", parts)
            .field("seed", seed)
            .finish_non_exhaustive()
    }
}
