//! How a [`PeftModel`] is built.

use std::collections::BTreeMap;
use std::fmt;

use candle_core::Tensor;

use super::backbone::Backbone;
use super::peft_model::{DEFAULT_TASK, PeftModel, PeftParts};
use crate::{GeneratorConfig, ParamStore, PeftConfig, Result, StaticConfig, Tasks};

/// Which parameters of the backbone train, by name.
type Covers = Box<dyn Fn(&str) -> bool>;

/// Builds a [`PeftModel`]. By default it has one task called `default` and static weights.
#[must_use = "call `build` to get the model"]
pub struct PeftModelBuilder<B> {
    backbone: B,
    parts: PeftParts,
    seed: u64,
    weights: Option<BTreeMap<String, Tensor>>,
    covers: Option<Covers>,
}

impl<B: Backbone> PeftModel<B> {
    /// Starts to build a model on `backbone`.
    pub fn builder(backbone: B) -> PeftModelBuilder<B> {
        PeftModelBuilder::new(backbone)
    }
}

impl<B: Backbone> PeftModelBuilder<B> {
    fn new(backbone: B) -> Self {
        let parts = PeftParts {
            methods: Vec::new(),
            generator: Box::new(StaticConfig::default()),
            tasks: Tasks::new([DEFAULT_TASK]),
        };
        Self { backbone, parts, seed: 0, weights: None, covers: None }
    }

    /// Adds a method. Methods act in the order in which they were added.
    pub fn method(mut self, method: impl PeftConfig + 'static) -> Self {
        self.parts.methods.push(Box::new(method));
        self
    }

    /// Adds several methods.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Box<dyn PeftConfig>>) -> Self {
        self.parts.methods.extend(methods);
        self
    }

    /// Sets the names of the tasks. Default: one task called `default`.
    pub fn tasks<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.parts.tasks = Tasks::new(names);
        self
    }

    /// Sets the source of the weights, such as a hypernetwork. Default: [`StaticConfig`].
    pub fn generator(mut self, generator: impl GeneratorConfig + 'static) -> Self {
        self.parts.generator = Box::new(generator);
        self
    }

    /// Sets methods, generator and tasks at once, for example those of another model.
    pub fn parts(mut self, parts: PeftParts) -> Self {
        self.parts = parts;
        self
    }

    /// The seed of initial values. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Starts at these values instead of seeded ones. Every variable must have a value, and every value must be used.
    pub fn weights(mut self, weights: BTreeMap<String, Tensor>) -> Self {
        self.weights = Some(weights);
        self
    }

    /// Also trains the backbone's parameters whose names `covers` accepts. Default: none.
    pub fn train_backbone(mut self, covers: impl Fn(&str) -> bool + 'static) -> Self {
        self.covers = Some(Box::new(covers));
        self
    }

    /// The same builder with what `change` makes of the backbone.
    pub(crate) fn map_backbone<C>(self, change: impl FnOnce(B) -> C) -> PeftModelBuilder<C> {
        let Self { backbone, parts, seed, weights, covers } = self;
        PeftModelBuilder { backbone: change(backbone), parts, seed, weights, covers }
    }

    /// Builds the model.
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
