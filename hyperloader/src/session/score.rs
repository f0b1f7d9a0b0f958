//! The verb `eval`: scores of a run.

use std::collections::BTreeMap;
use std::io::Write;

use super::Session;
use super::train::mode;
use crate::config::TaskConfig;
use crate::eval::{EvalReport, Prediction, evaluate};
use crate::run::RunDir;
use crate::tasks::{Corpus, SplitName};
use crate::{Error, Result};
use peft_files::write_atomic;

/// The tasks called `names`, or all of them where no name is given.
///
/// # Errors
/// [`Error::Config`] with the known names and the nearest.
pub fn select_tasks<'a>(session: &'a Session, names: &[String]) -> Result<Vec<&'a TaskConfig>> {
    if names.is_empty() {
        return Ok(session.config.tasks.iter().collect());
    }
    names.iter().map(|name| session.config.task(name)).collect()
}

/// Labels and scores `split` of `tasks`, and writes the report and the predictions into the run folder.
///
/// # Errors
/// If a task has no such split, or anything on the way fails.
pub fn score_run(
    run: &RunDir,
    session: &Session,
    step: usize,
    split: SplitName,
    tasks: &[&TaskConfig],
) -> Result<EvalReport> {
    let mut reports = BTreeMap::new();
    for task in tasks {
        let corpus = Corpus::new(&session.config, task)?;
        let (examples, _) = corpus.read(split)?;
        let labeller = session.labeller(&corpus)?;
        let (report, predictions) = evaluate(&labeller, &examples, mode(session.config.eval.mode))?;
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
