//! One run.

use std::collections::BTreeMap;

use datasets::metrics::{ScoringMode, score};
use peft_files::read_json;

use super::model::Model;
use super::{Curves, parameters, predictions};
use crate::Result;
use crate::analysis::Sentence;
use crate::config::Config;
use crate::eval::EvalReport;
use crate::run::RunDir;
use crate::shell::shell_word;

/// The run `run`, called `label`, with its scores and predictions on `split`.
///
/// # Errors
/// If its configuration, its log, its scores or its predictions cannot be read. What is not there yet is noted.
pub(super) fn read(run: &RunDir, label: String, split: &str) -> Result<Model> {
    let config = Config::load(run.config(), &[])?;
    let tasks: Vec<String> = config.tasks.iter().map(|task| task.name.clone()).collect();
    let curves = Curves::read(&run.root().join("metrics.jsonl"))?;
    let (mut found, mut missing, mut notes) = (BTreeMap::new(), Vec::new(), Vec::new());
    for task in &tasks {
        match predictions::predictions(run, split, task)? {
            Some(sentences) => _ = found.insert(task.clone(), sentences),
            None => missing.push(task.as_str()),
        }
    }
    if !missing.is_empty() {
        let (folder, names) = (shell_word(run.root()), missing.join(", "));
        notes.push(format!(
            "{label} has no predictions on {split} for {names}; make them with: hyperloader eval {folder} --split {split} --predictions"
        ));
    }
    let parameters = parameters::parameters(&config).unwrap_or_else(|error| {
        notes.push(format!("The parameters of {label} are not counted: {error}"));
        None
    });
    let scores = scores(run, split, &found)?;
    Ok(Model { label, place: None, tasks, parameters, curves, scores, predictions: found, notes })
}

/// The scores that `eval` kept, and for the tasks that it did not score those of the predictions.
fn scores(run: &RunDir, split: &str, found: &BTreeMap<String, Vec<Sentence>>) -> Result<BTreeMap<String, f64>> {
    let mut scores = BTreeMap::new();
    for (task, sentences) in found {
        let (gold, predicted): (Vec<_>, Vec<_>) = sentences.iter().map(|s| (&s.gold_tags, &s.predicted_tags)).unzip();
        scores.insert(task.clone(), score(&gold, &predicted, ScoringMode::Default)?.micro_f1);
    }
    let path = run.eval(split);
    if path.is_file() {
        let report: EvalReport = read_json(&path)?;
        scores.extend(report.tasks.iter().map(|(task, report)| (task.clone(), report.scores.micro_f1)));
    }
    Ok(scores)
}
