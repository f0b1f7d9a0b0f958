//! The verb `eval`: scores of a run.

use std::collections::BTreeMap;
use std::io::Write;

use super::Session;
use crate::eval::{EvalReport, Prediction, evaluate};
use crate::run::RunDir;
use crate::tasks::SplitName;
use crate::{Error, Result};
use peft_files::write_atomic;

/// Which part of a run is scored.
#[derive(Debug, Clone)]
pub struct ScoreOptions {
    /// The split.
    pub split: SplitName,
    /// The names of the tasks; empty means all tasks.
    pub tasks: Vec<String>,
    /// The step at which the weights were saved, for the report.
    pub step: usize,
}

/// Labels and scores the tasks of `session`, and writes the report and the predictions into the folder of `run`.
///
/// # Errors
/// [`Error::Config`] with the known names if a task is unknown; if a task has no such split; if labelling or writing fails.
pub fn score_run(run: &RunDir, session: &Session, options: &ScoreOptions) -> Result<EvalReport> {
    let &ScoreOptions { split, ref tasks, step } = options;
    let config = &session.config;
    let tasks = match tasks.is_empty() {
        true => config.tasks.iter().collect(),
        false => tasks.iter().map(|name| config.task(name)).collect::<Result<Vec<_>>>()?,
    };
    let mut reports = BTreeMap::new();
    for task in tasks {
        let (examples, _) = config.corpus(task)?.read(split)?;
        let labeller = session.labeller(&task.name)?;
        let (report, predictions) = evaluate(&labeller, &examples, config.eval.mode)?;
        write_predictions(run, &task.name, split, &predictions)?;
        reports.insert(task.name.clone(), report);
    }
    let report = EvalReport::new(step, split.to_string(), reports);
    let path = run.eval(&split.to_string());
    create_parent(&path)?;
    let text = serde_json::to_string_pretty(&report).map_err(|e| Error::malformed(&path, e.to_string()))?;
    write_atomic(&path, |file| writeln!(file, "{text}"))?;
    Ok(report)
}

fn write_predictions(run: &RunDir, task: &str, split: SplitName, predictions: &[Prediction]) -> Result<()> {
    let path = run.predictions(task, &split.to_string());
    create_parent(&path)?;
    Ok(write_atomic(&path, |file| {
        let mut file = std::io::BufWriter::new(file);
        for prediction in predictions {
            serde_json::to_writer(&mut file, prediction)?;
            writeln!(file)?;
        }
        file.flush()
    })?)
}

fn create_parent(path: &std::path::Path) -> Result<()> {
    match path.parent() {
        Some(folder) => std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e)),
        None => Ok(()),
    }
}
