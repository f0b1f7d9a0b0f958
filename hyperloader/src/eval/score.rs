//! Scores of labelled sentences.

use std::collections::BTreeMap;
use std::time::Instant;

use datasets::Example;
use datasets::metrics::{ScoringMode, SpanCounts, SpanReport};
use serde::{Deserialize, Serialize};

use super::predictions::Prediction;
use crate::Result;
use crate::label::Labeller;

/// The scores of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Span scores, overall and by type.
    #[serde(flatten)]
    pub scores: SpanReport,
    /// Sentences that were too long for the model and were labelled in overlapping windows.
    #[serde(default)]
    pub windowed: usize,
    /// With free decoding: sentences for which the number of tags that the model wrote differs from the number of words.
    pub malformed: usize,
    /// The time that labelling took.
    pub seconds: f64,
}

/// What the scores of one task are computed from. The counts of parts of the sentences add up to those of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskCounts {
    /// Spans, sentences and tokens.
    pub spans: SpanCounts,
    /// As [`TaskReport::windowed`].
    pub windowed: usize,
    /// As [`TaskReport::malformed`].
    pub malformed: usize,
    /// The time that labelling took.
    pub seconds: f64,
}

impl TaskCounts {
    /// Adds the counts of other sentences.
    ///
    /// # Errors
    /// If their spans were counted in another mode.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.spans.merge(&other.spans)?;
        self.windowed += other.windowed;
        self.malformed += other.malformed;
        self.seconds += other.seconds;
        Ok(())
    }

    /// The scores.
    pub fn report(&self) -> TaskReport {
        let &Self { ref spans, windowed, malformed, seconds } = self;
        TaskReport { scores: spans.report(), windowed, malformed, seconds }
    }
}

/// The scores of several tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalReport {
    /// The step whose weights were scored.
    pub step: usize,
    /// The split that was scored.
    pub split: String,
    /// The plain mean of the tasks' `micro_f1`, in [0, 1] (the paper's average).
    pub average_micro_f1: f64,
    /// Each task's scores.
    pub tasks: BTreeMap<String, TaskReport>,
}

impl EvalReport {
    /// A report over `tasks`.
    pub fn new(step: usize, split: String, tasks: BTreeMap<String, TaskReport>) -> Self {
        let sum: f64 = tasks.values().map(|t| t.scores.micro_f1).sum();
        let average_micro_f1 = if tasks.is_empty() { 0. } else { sum / tasks.len() as f64 };
        Self { step, split, average_micro_f1, tasks }
    }
}

/// Labels `examples` and scores them against their own tags.
///
/// # Errors
/// If labelling fails.
pub fn evaluate(
    labeller: &Labeller<'_>,
    examples: &[Example],
    mode: ScoringMode,
) -> Result<(TaskReport, Vec<Prediction>)> {
    let (counts, predictions) = count(labeller, examples, mode)?;
    Ok((counts.report(), predictions))
}

/// Like [`evaluate`], for a part of the sentences: counts, which can be added to those of other parts.
///
/// # Errors
/// If labelling fails.
pub fn count(
    labeller: &Labeller<'_>,
    examples: &[Example],
    mode: ScoringMode,
) -> Result<(TaskCounts, Vec<Prediction>)> {
    let start = Instant::now();
    let labelled = labeller.label(examples.iter().map(|e| e.tokens.as_slice()))?;
    let seconds = start.elapsed().as_secs_f64();
    let mut spans = SpanCounts::new(mode);
    examples.iter().zip(&labelled).try_for_each(|(example, labelled)| spans.add(&example.tags, &labelled.tags))?;
    let windowed = labelled.iter().filter(|l| l.windowed).count();
    let malformed = labelled.iter().filter(|l| l.malformed).count();
    let predictions = examples.iter().zip(labelled).map(|(example, labelled)| Prediction::new(example, labelled));
    Ok((TaskCounts { spans, windowed, malformed, seconds }, predictions.collect::<Result<_>>()?))
}
