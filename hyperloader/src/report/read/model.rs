//! One trained model.

use std::collections::BTreeMap;

use super::Curves;
use crate::analysis::Sentence;
use crate::model::ParamCount;

/// One trained model: a run, or a finished cell of a suite.
#[derive(Debug, Default)]
pub(in crate::report) struct Model {
    /// The name on the page.
    pub(in crate::report) label: String,
    /// The place in its suite.
    pub(in crate::report) place: Option<Place>,
    /// The names of its tasks, in the order of its configuration.
    pub(in crate::report) tasks: Vec<String>,
    /// The size of the model, if its backbone's shape is at hand.
    pub(in crate::report) parameters: Option<ParamCount>,
    pub(in crate::report) curves: Curves,
    /// The micro-F1 of its tasks in [0, 1], from the evaluation or else from the predictions.
    pub(in crate::report) scores: BTreeMap<String, f64>,
    /// The sentences of each task, for the models that are analyzed.
    pub(in crate::report) predictions: BTreeMap<String, Vec<Sentence>>,
    pub(in crate::report) notes: Vec<String>,
}

/// The place of a model in its suite.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Place {
    pub(in crate::report) system: String,
    pub(in crate::report) fraction: f64,
    pub(in crate::report) seed: u64,
}

impl Model {
    /// The plain mean of its tasks' F1, in [0, 1]; `None` if a task has no score.
    pub(in crate::report) fn average(&self) -> Option<f64> {
        let f1: Option<Vec<f64>> = self.tasks.iter().map(|task| self.scores.get(task).copied()).collect();
        let f1 = f1.filter(|f1| !f1.is_empty())?;
        Some(f1.iter().sum::<f64>() / f1.len() as f64)
    }
}
