//! The verb `eval` in shards: each process scores a part of the sentences, and the counts are added.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tracing::warn;

use super::Session;
use super::inputs::{of_examples, of_labelling};
use super::score::{ScoreOptions, keep, tasks_of};
use crate::eval::{EvalReport, Prediction, TaskCounts, count};
use crate::run::RunDir;
use crate::shards::{Job, Shard, ShardFolder};
use crate::tasks::SplitName;
use crate::{Error, Result};

/// What [`score_shard`] did.
#[derive(Debug, Clone)]
pub struct ShardReport {
    /// The folder of the shards.
    pub folder: PathBuf,
    /// Whether an earlier process had finished this shard.
    pub was_finished: bool,
    /// The number of sentences of the shard.
    pub sentences: usize,
    /// The shards that are not finished.
    pub missing: Vec<usize>,
}

/// The record of a shard: for each task, its part of the sentences.
type Record = BTreeMap<String, TaskPart>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskPart {
    sentences: usize,
    counts: TaskCounts,
    /// As JSON: a number that is read and written again may have another last digit.
    predictions: Option<Vec<Box<RawValue>>>,
}

/// Labels and counts one shard of the sentences of each task, and keeps the counts in `eval/shards/` of the run folder, where
/// [`merge_shards`] finds them. A finished shard is not done again.
///
/// # Errors
/// As [`score_run`](super::score_run); [`Error::Config`] if the folder holds shards of something else, such as another step;
/// [`Error::Io`] if the counts cannot be kept.
pub fn score_shard(run: &RunDir, session: &Session, options: &ScoreOptions, shard: Shard) -> Result<ShardReport> {
    let config = &session.config;
    let (mut examples, mut names) = (Vec::new(), Vec::new());
    for task in tasks_of(session, options)? {
        let (of_task, _) = config.corpus(task)?.read(options.split)?;
        names.push(task.name.as_str());
        examples.push((task, of_task));
    }
    let mut content = of_labelling(session, run, &names)?;
    content.extend(
        examples.iter().map(|(task, examples)| (format!("{}.{}", task.name, options.split), of_examples(examples))),
    );
    let settings = [
        ("--split", options.split.to_string()),
        ("--task", names.join(" ")),
        ("--predictions", options.predictions.to_string()),
        (STEP, options.step.to_string()),
    ];
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let folder = ShardFolder::open(root(run, options.split), Job::new(shard.count(), settings, content))?;
    let kept: Option<Record> = folder.record(shard.index())?;
    let was_finished = kept.is_some();
    let record = match kept {
        Some(record) => record,
        None => {
            let mut record = Record::new();
            for (task, examples) in &examples {
                let labeller = session.labeller(&task.name)?;
                let own = shard.of(examples);
                let (counts, predictions) = count(&labeller, own, config.eval.mode)?;
                let predictions = options.predictions.then(|| predictions.iter().map(as_json).collect()).transpose()?;
                record.insert(task.name.clone(), TaskPart { sentences: own.len(), counts, predictions });
            }
            folder.finish(shard, &record)?;
            record
        }
    };
    Ok(ShardReport {
        sentences: record.values().map(|part| part.sentences).sum(),
        was_finished,
        missing: folder.missing()?,
        folder: folder.root().to_path_buf(),
    })
}

fn as_json(prediction: &Prediction) -> Result<Box<RawValue>> {
    to_raw_value(prediction).map_err(|e| Error::Internal(format!("a prediction is no JSON: {e}")))
}

/// The setting of a job that is the step of the scored weights.
const STEP: &str = "the step";

/// Adds the counts of all shards of `split`, and writes the report and the predictions as [`score_run`](super::score_run) does. Then the
/// shards are removed.
///
/// # Errors
/// [`Error::Config`] if there are no shards, or naming those that are not finished.
pub fn merge_shards(run: &RunDir, split: SplitName) -> Result<EvalReport> {
    let root = root(run, split);
    let none = || Error::Config(format!("{}: no shards to merge; hyperloader eval --shard makes them", root.display()));
    let folder = ShardFolder::find(&root)?.ok_or_else(none)?;
    let step = folder.job().setting(STEP).and_then(|step| step.parse().ok()).unwrap_or_default();
    let records: Vec<Record> = folder.records()?;
    let (mut counts, mut predictions) = (BTreeMap::<String, TaskCounts>::new(), BTreeMap::<String, Vec<_>>::new());
    for (name, part) in records.into_iter().flatten() {
        match counts.get_mut(&name) {
            Some(sum) => sum.merge(&part.counts)?,
            None => _ = counts.insert(name.clone(), part.counts),
        }
        if let Some(own) = part.predictions {
            predictions.entry(name).or_default().extend(own);
        }
    }
    let reports = counts.into_iter().map(|(name, counts)| (name, counts.report())).collect();
    let report = EvalReport::new(step, split.to_string(), reports);
    keep(run, split, &report, &predictions)?;
    if let Err(error) = std::fs::remove_dir_all(&root) {
        warn!("{}: the merged shards could not be removed: {error}", root.display());
    }
    Ok(report)
}

fn root(run: &RunDir, split: SplitName) -> PathBuf {
    run.root().join("eval").join("shards").join(split.to_string())
}
