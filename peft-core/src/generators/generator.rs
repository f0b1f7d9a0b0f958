//! The traits that a weight generator implements.

use std::fmt::Debug;

use candle_nn::VarBuilder;

use super::condition::Condition;
use super::needs::Needs;
use crate::{AdapterWeights, AsAny, Error, Plan, Result};

/// A source of weights for the methods of a plan.
pub trait WeightGenerator: Debug + Send + Sync {
    /// The weights for `condition`, in the order of the plan. They are part of the gradient graph. A weight that differs by row
    /// of the batch has a leading batch axis.
    ///
    /// # Errors
    /// [`Error::UnknownTask`]; [`Error::Mismatch`] if the condition lacks what the generator [needs](Self::needs), or holds what
    /// it would ignore; or a failed tensor operation.
    fn generate(&self, condition: &Condition) -> Result<AdapterWeights>;

    /// The weights that act while the backbone computes what the generator [needs](Self::needs) to see: those of some targets, and
    /// an empty list for each target that does not act then. [`generate`](Self::generate) must give these targets the same weights.
    /// `condition` holds no states. Default: none, the bare backbone is seen.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    fn generate_before(&self, condition: &Condition) -> Result<Option<AdapterWeights>> {
        let _ = condition;
        Ok(None)
    }

    /// What [`generate`](Self::generate) needs to see in addition to tasks. [`PeftModel`](crate::PeftModel) refuses the generator
    /// when the model is built if the backbone cannot give it, and computes it for every batch otherwise. Default: nothing.
    fn needs(&self) -> Needs {
        Needs::default()
    }
}

/// The tasks that a generator knows, by name. The number of a task is its index in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tasks(Vec<String>);

impl Tasks {
    /// Tasks from their names.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// The number of the task called `name`.
    ///
    /// # Errors
    /// [`Error::UnknownTask`] with the known names.
    pub fn index(&self, name: &str) -> Result<usize> {
        self.0.iter().position(|n| n == name).ok_or_else(|| self.unknown(name))
    }

    /// The names in the order of their numbers.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// `things[index]`, for generators that keep one thing per task.
    ///
    /// # Errors
    /// [`Error::UnknownTask`] if there are fewer.
    pub fn get<'a, T>(&self, things: &'a [T], index: usize) -> Result<&'a T> {
        things.get(index).ok_or_else(|| self.unknown(&format!("number {index}")))
    }

    fn unknown(&self, task: &str) -> Error {
        Error::UnknownTask { task: task.to_owned(), known: self.0.clone() }
    }
}

/// The configuration of a generator. Implement it with `#[typetag::serde(name = "my_generator")]`. The name is then the
/// `generator` in configuration files.
#[typetag::serde(tag = "generator")]
pub trait GeneratorConfig: Debug + CloneGeneratorConfig + AsAny + Send + Sync {
    /// The generator for `plan` and `tasks`, with its weights taken from (or created in) `vb`.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`], or a weight that `vb` lacks or holds in another shape.
    fn build(&self, plan: &Plan, tasks: &Tasks, vb: VarBuilder<'_>) -> Result<Box<dyn WeightGenerator>>;
}

crate::config::clone_boxed!(GeneratorConfig, CloneGeneratorConfig);

/// Generates weights for [`Condition::Rows`]: each distinct task once by `one`, then stacked row by row.
///
/// # Errors
/// As `one` does.
pub fn generate_rows(rows: &[usize], one: impl Fn(usize) -> Result<AdapterWeights>) -> Result<AdapterWeights> {
    let mut distinct = rows.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let tasks = distinct.iter().map(|&task| one(task)).collect::<Result<Vec<_>>>()?;
    let indices: Vec<usize> = rows.iter().filter_map(|r| distinct.binary_search(r).ok()).collect();
    AdapterWeights::rows(&tasks, &indices)
}
