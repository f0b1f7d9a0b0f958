//! The verb `eval`: scores of a run.

use std::collections::BTreeMap;
use std::io::Write;

use super::Session;
use crate::config::TaskConfig;
use crate::eval::{EvalReport, evaluate, stage_predictions};
use crate::run::RunDir;
use crate::tasks::SplitName;
use crate::{Error, Result};
use peft_files::{NewFolders, Staged, create_folders, parent, stage};
use serde::Serialize;
use tracing::warn;

/// Which part of a run is scored.
#[derive(Debug, Clone)]
pub struct ScoreOptions {
    /// The split.
    pub split: SplitName,
    /// The names of the tasks; empty means all tasks.
    pub tasks: Vec<String>,
    /// The step at which the weights were saved, for the report.
    pub step: usize,
    /// Whether the predicted tags of each sentence are kept.
    pub predictions: bool,
}

/// Labels and scores the tasks of `session`, and writes the report and, if asked for, the predictions into the folder of `run`.
///
/// The report is the result. If the folder cannot be written to, a warning says so.
///
/// # Errors
/// [`Error::Config`] with the known names if a task is unknown; if a task has no such split; if labelling fails. Nothing is written
/// then.
pub fn score_run(run: &RunDir, session: &Session, options: &ScoreOptions) -> Result<EvalReport> {
    let &ScoreOptions { split, step, predictions: keeps, .. } = options;
    let config = &session.config;
    let (mut reports, mut predictions) = (BTreeMap::new(), BTreeMap::new());
    for task in tasks_of(session, options)? {
        let (examples, _) = config.corpus(task)?.read(split)?;
        let labeller = session.labeller(&task.name)?;
        let (report, predicted) = evaluate(&labeller, &examples, config.eval.mode)?;
        reports.insert(task.name.clone(), report);
        if keeps {
            predictions.insert(task.name.clone(), predicted);
        }
    }
    let report = EvalReport::new(step, split.to_string(), reports);
    if let Err(error) = keep(run, split, &report, &predictions) {
        let what = if keeps {
            "scores and predictions are not kept in eval/ and predictions/"
        } else {
            "scores are not kept in eval/"
        };
        warn!("{what} of the run: {error}");
    }
    Ok(report)
}

/// The tasks that are scored.
pub(super) fn tasks_of<'a>(session: &'a Session, options: &ScoreOptions) -> Result<Vec<&'a TaskConfig>> {
    let config = &session.config;
    match options.tasks.is_empty() {
        true => Ok(config.tasks.iter().collect()),
        false => options.tasks.iter().map(|name| config.task(name)).collect(),
    }
}

/// Writes the predictions and the report. All files are written before the first of them gets its name.
pub(super) fn keep(
    run: &RunDir,
    split: SplitName,
    report: &EvalReport,
    predictions: &BTreeMap<String, Vec<impl Serialize>>,
) -> Result<()> {
    let path = run.eval(&split.to_string());
    let text = serde_json::to_string_pretty(report).map_err(|e| Error::malformed(&path, e.to_string()))?;
    let mut folders = vec![create_folders(parent(&path))?];
    let mut files = vec![stage(&path, |file| writeln!(file, "{text}"))?.0];
    for (task, predictions) in predictions {
        let path = run.predictions(&split.to_string(), task);
        folders.push(create_folders(parent(&path))?);
        files.push(stage_predictions(&path, predictions)?);
    }
    files.into_iter().try_for_each(Staged::commit)?;
    folders.into_iter().for_each(NewFolders::keep);
    Ok(())
}
