//! One task of a model, generated once.

use std::collections::BTreeMap;

use candle_core::Tensor;
use peft_core::{ActiveAdapters, AdapterWeights, PeftConfig, PeftModel, Plan};

use super::partition::mergeable_methods;
use crate::config::Config;
use crate::{Error, Result};
use peft_t5::T5;

/// The weights of one task, generated and detached from the graph.
#[derive(Debug)]
pub struct TaskModel<'a> {
    model: &'a PeftModel<T5>,
    weights: AdapterWeights,
}

impl<'a> TaskModel<'a> {
    /// Generates the weights of the task called `name`.
    ///
    /// # Errors
    /// If the model does not know the task, or its generator needs to see the input.
    pub fn new(model: &'a PeftModel<T5>, name: &str) -> Result<Self> {
        require_weights_of_a_task(model)?;
        Ok(Self { model, weights: model.weights(name)?.detach() })
    }

    /// The task's weights under the names of static weights, for the methods whose number is `wanted`.
    pub fn static_weights(&self, wanted: impl Fn(usize) -> bool) -> BTreeMap<String, Tensor> {
        self.weights.by_name(self.model.plan(), |target| wanted(target.method))
    }

    /// Merges the methods that can be merged and keeps the others static. `methods` are those that the model was built with.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn merge(&self, methods: Vec<Box<dyn PeftConfig>>) -> Result<MergedTask> {
        let plan = self.model.plan();
        let t5 = self.model.backbone();
        let mergeable = mergeable_methods(plan, &self.weights, &t5.tensors()?)?;
        let is_merged = |method: usize| mergeable.get(method) == Some(&true);
        let weights = self.static_weights(|method| !is_merged(method));
        let mut split = (Vec::new(), Vec::new());
        for (number, method) in methods.into_iter().enumerate() {
            let half = if is_merged(number) { &mut split.0 } else { &mut split.1 };
            half.push(method);
        }
        let (gone, kept) = split;
        let merging = Plan::resolve(t5.sites(), &gone)?;
        let entries = plan.targets().iter().zip(self.weights.iter()).filter(|(target, _)| is_merged(target.method));
        let merged_weights = AdapterWeights::new(entries.map(|(_, weights)| weights.to_vec()).collect());
        let t5 = t5.merge(&ActiveAdapters::new(&merging, &merged_weights)?)?;
        Ok(MergedTask { t5, merged: names(&gone), kept: names(&kept), methods: kept, weights })
    }
}

/// Checks that a task alone determines the weights.
///
/// # Errors
/// [`Error::Config`] if the generator also needs to see the input.
pub(super) fn require_weights_of_a_task(model: &PeftModel<T5>) -> Result<()> {
    if model.needs().is_empty() {
        return Ok(());
    }
    Err(Error::Config(format!(
        "the generator {:?} makes other weights for each input, so a task has none that could be merged or written to files; use the \
         run itself",
        model.parts().generator.typetag_name()
    )))
}

fn names(methods: &[Box<dyn PeftConfig>]) -> Vec<String> {
    methods.iter().map(|method| method.typetag_name().to_owned()).collect()
}

/// One task of a model, with static weights only.
#[derive(Debug)]
pub struct MergedTask {
    /// The backbone, with the merged methods in its weights.
    pub t5: T5,
    /// The `peft_type` of the merged methods.
    pub merged: Vec<String>,
    /// The `peft_type` of the other methods.
    pub kept: Vec<String>,
    /// The other methods.
    pub methods: Vec<Box<dyn PeftConfig>>,
    /// Their weights by name.
    pub weights: BTreeMap<String, Tensor>,
}

impl MergedTask {
    /// The number of elements of all weights.
    ///
    /// # Errors
    /// As [`T5::tensors`].
    pub fn num_parameters(&self) -> Result<usize> {
        let own = self.t5.tensors()?.values().map(Tensor::elem_count).sum::<usize>();
        Ok(own + self.weights.values().map(Tensor::elem_count).sum::<usize>())
    }

    /// Checks that all methods were merged, so that only the backbone is left.
    ///
    /// # Errors
    /// [`Error::Config`] naming the methods that were not.
    pub fn require_plain(&self) -> Result<()> {
        if self.kept.is_empty() {
            return Ok(());
        }
        Err(Error::Config(format!(
            "{} cannot be merged into the backbone's weights, so a plain T5 cannot hold the result; use compile, or --format \
             adapterhub",
            self.kept.join(", ")
        )))
    }
}

/// The configuration of a model with one task and static weights.
pub(super) fn static_config(config: Config, task: &str, merged: &mut MergedTask) -> Config {
    Config {
        model: crate::config::ModelConfig { tokenizer: None, trainable: peft_t5::Trainable::None, ..config.model },
        generator: Config::default().generator,
        peft: std::mem::take(&mut merged.methods),
        tasks: config.tasks.into_iter().filter(|one| one.name == task).collect(),
        pretrain: None,
        ..config
    }
}
