//! The static generator: plain trainable variables, as in ordinary PEFT.

use std::collections::BTreeMap;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::condition::RowTasks;
use super::generator::generate_rows;
use crate::{
    AdapterWeights, Condition, GeneratorConfig, ParamSpec, Plan, Result, Scope, TargetedModule, Tasks, WeightGenerator,
};

/// The prefix that Hugging Face `peft` puts before the path of a module.
pub const PEFT_PREFIX: &str = "base_model.model";

/// Weights that are plain trainable variables.
///
/// Their names are those of Hugging Face `peft`: `base_model.model.<site path>.<weight>`. With `per_task` each task owns
/// a set, `base_model.model.<site path>.tasks.<task>.<weight>`, except for the weights named in `shared`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StaticConfig {
    /// Whether every task has weights of its own. Default: no, one set serves all.
    pub per_task: bool,
    /// With `per_task`: the weights that all tasks share, by one component of their name. `ln_after` shares
    /// `adapter.ln_after.weight`, as HyperFormer's static adapters share their layer norms. Default: none.
    pub shared: Vec<String>,
}

crate::setters! {
    StaticConfig {
        per_task => per_task: bool,
        shared => shared: [String],
    }
}

impl StaticConfig {
    /// One set of weights for all tasks.
    pub fn new() -> Self {
        Self::default()
    }

    fn is_shared(&self, param: &str) -> bool {
        !self.per_task || param.split('.').any(|part| self.shared.iter().any(|s| s == part))
    }

    fn weights(&self, plan: &Plan, task: Option<&str>, vb: &VarBuilder<'_>) -> Result<AdapterWeights> {
        let of_task = |p: &ParamSpec| task.filter(|_| !self.is_shared(&p.name));
        let targets = plan.targets().iter().map(|target| variables(target, of_task, vb));
        targets.collect::<Result<_>>().map(AdapterWeights::new)
    }
}

/// The weights of one target as plain variables, which all tasks share, with the names that [`StaticConfig`] gives them.
///
/// # Errors
/// If a weight is missing from `vb` or has another shape there.
pub fn plain_weights(target: &TargetedModule, vb: &VarBuilder<'_>) -> Result<Vec<Tensor>> {
    variables(target, |_| None, vb)
}

/// The weights of one target; those of a task are named after it.
fn variables<'t>(
    target: &TargetedModule,
    task: impl Fn(&ParamSpec) -> Option<&'t str>,
    vb: &VarBuilder<'_>,
) -> Result<Vec<Tensor>> {
    let root = vb.pp(PEFT_PREFIX);
    let one = |p: &ParamSpec| {
        let vb = match p.scope {
            Scope::Site => root.pp(&target.site.path),
            Scope::Model => root.clone(),
        };
        let vb = match task(p) {
            Some(task) => vb.pp("tasks").pp(task),
            None => vb,
        };
        Ok(vb.get_with_hints(p.dims.as_slice(), &p.name, p.init)?)
    };
    target.params.iter().map(one).collect()
}

#[typetag::serde(name = "static")]
impl GeneratorConfig for StaticConfig {
    fn build(&self, plan: &Plan, tasks: &Tasks, vb: VarBuilder<'_>) -> Result<Box<dyn WeightGenerator>> {
        let sets = if self.per_task {
            tasks.names().iter().map(|t| self.weights(plan, Some(t), &vb)).collect::<Result<_>>()?
        } else {
            vec![self.weights(plan, None, &vb)?]
        };
        Ok(Box::new(StaticWeights { sets, tasks: tasks.clone(), per_task: self.per_task }))
    }
}

/// What [`StaticConfig`] builds: one set of weights for all tasks, or one for each task.
#[derive(Debug)]
struct StaticWeights {
    sets: Vec<AdapterWeights>,
    tasks: Tasks,
    per_task: bool,
}

impl StaticWeights {
    fn weights(&self, task: usize) -> Result<&AdapterWeights> {
        self.tasks.get(&self.sets, if self.per_task { task } else { 0 })
    }
}

impl WeightGenerator for StaticWeights {
    fn generate(&self, condition: &Condition) -> Result<AdapterWeights> {
        match condition.tasks_only("static")? {
            RowTasks::All(task) => self.weights(task).cloned(),
            // Every row uses the same weights, so no batch axis is needed.
            RowTasks::Each(_) if !self.per_task => self.weights(0).cloned(),
            RowTasks::Each(rows) => generate_rows(rows, |task| self.weights(task).cloned()),
        }
    }
}

impl AdapterWeights {
    /// The weights of the targets that `wanted` accepts, by the names that static ones have in files:
    /// `base_model.model.<site path>.<weight>`.
    pub fn by_name(&self, plan: &Plan, wanted: impl Fn(&TargetedModule) -> bool) -> BTreeMap<String, Tensor> {
        let targets = plan.targets().iter().zip(self.iter()).filter(|(target, _)| wanted(target));
        let named = targets.flat_map(|(target, weights)| {
            let names = target.params.iter().map(|param| format!("{PEFT_PREFIX}.{}", target.key(param)));
            names.zip(weights.iter().cloned())
        });
        named.collect()
    }
}
