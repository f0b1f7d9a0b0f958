//! A generator of weights outside HyperLoader's own crates, in about 100 lines. Some tasks have their own weights; the others are
//! weighted sums of those (task arithmetic, Ilharco et al. 2023, arXiv 2212.04089).

use std::collections::BTreeMap;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use peft_core::{
    AdapterWeights, Condition, Error, GeneratorConfig, Plan, Result, RowTasks, StaticConfig, Tasks, WeightGenerator,
    generate_rows,
};
use serde::{Deserialize, Serialize};

/// Weights of tasks as weighted sums of other tasks' weights.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskAverage {
    /// For each task without its own weights: the tasks that it is a sum of, with their factors.
    pub averages: BTreeMap<String, BTreeMap<String, f64>>,
}

impl TaskAverage {
    /// Every task has weights of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `task` the sum of other tasks' weights, each with its factor.
    #[must_use]
    pub fn average<S: Into<String>>(mut self, task: &str, parts: impl IntoIterator<Item = (S, f64)>) -> Self {
        let parts = parts.into_iter().map(|(name, factor)| (name.into(), factor));
        self.averages.insert(task.to_owned(), parts.collect());
        self
    }
}

#[typetag::serde(name = "task_average")]
impl GeneratorConfig for TaskAverage {
    fn build(&self, plan: &Plan, tasks: &Tasks, vb: VarBuilder<'_>) -> Result<Box<dyn WeightGenerator>> {
        let owners = tasks.names().iter().filter(|name| !self.averages.contains_key(*name));
        let owners = Tasks::new(owners.cloned());
        let parts = |name: &String| match self.averages.get(name) {
            None => Ok(vec![(owners.index(name)?, 1.)]),
            Some(parts) => parts.iter().map(|(name, factor)| Ok((owners.index(name)?, *factor))).collect(),
        };
        let parts = tasks.names().iter().map(parts).collect::<Result<_>>()?;
        let own = StaticConfig::new().per_task(true).build(plan, &owners, vb)?;
        Ok(Box::new(Averages { own, parts, tasks: tasks.clone() }))
    }
}

/// What [`TaskAverage`] builds.
#[derive(Debug)]
struct Averages {
    own: Box<dyn WeightGenerator>,
    /// For each task: the tasks that it is a sum of, with their factors.
    parts: Vec<Vec<(usize, f64)>>,
    tasks: Tasks,
}

impl Averages {
    fn average(&self, task: usize) -> Result<AdapterWeights> {
        let parts = self.tasks.get(&self.parts, task)?.iter();
        let parts = parts.map(|(owner, factor)| Ok((self.own.generate(&Condition::Task(*owner))?, *factor)));
        let mut sum: Vec<Vec<Tensor>> = Vec::new();
        for (weights, factor) in parts.collect::<Result<Vec<_>>>()? {
            let scaled =
                weights.iter().map(|weights| weights.iter().map(|w| Ok((w * factor)?)).collect::<Result<Vec<_>>>());
            let scaled = scaled.collect::<Result<Vec<_>>>()?;
            sum = match sum.is_empty() {
                true => scaled,
                false => add(&sum, &scaled)?,
            };
        }
        if sum.is_empty() {
            return Err(Error::Mismatch(format!("task number {task} is a sum of no other task")));
        }
        Ok(AdapterWeights::new(sum))
    }
}

fn add(one: &[Vec<Tensor>], other: &[Vec<Tensor>]) -> Result<Vec<Vec<Tensor>>> {
    let target =
        |(one, other): (&Vec<Tensor>, &Vec<Tensor>)| one.iter().zip(other).map(|(a, b)| Ok((a + b)?)).collect();
    one.iter().zip(other).map(target).collect()
}

impl WeightGenerator for Averages {
    fn generate(&self, condition: &Condition) -> Result<AdapterWeights> {
        match condition.tasks_only("task_average")? {
            RowTasks::All(task) => self.average(task),
            RowTasks::Each(rows) => generate_rows(rows, |task| self.average(task)),
        }
    }
}
