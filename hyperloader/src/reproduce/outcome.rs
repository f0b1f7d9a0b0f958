//! `cell.json`: what came out of a cell.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::protocols::Protocol;
use super::statistics::Counts;
use crate::{Error, Result};
use peft_files::{Staged, read_json, stage};

/// The name of the file. It is written last: a cell that has it is finished.
pub const CELL_FILE: &str = "cell.json";
/// The counts of each sentence, next to it.
const COUNTS_FILE: &str = "counts.json";

/// What came out of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// Which cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// The tasks of its model.
    pub tasks: Vec<String>,
    /// Parameters that were trained.
    pub trainable: usize,
    /// All parameters of the model.
    pub total: usize,
    /// Optimizer steps.
    pub steps: usize,
    /// Sentences that it trained on, repetitions counted.
    pub sentences: usize,
    /// The step whose weights were scored.
    pub best_step: usize,
    /// The average validation micro-F1 after the last step.
    pub final_validation: Option<f64>,
    /// The first validated step with at least 90 % of it.
    pub steps_to_90: Option<usize>,
    /// The time that training and scoring took in the process that finished it.
    pub seconds: f64,
    /// Scores by task and protocol.
    pub scores: BTreeMap<String, BTreeMap<Protocol, Score>>,
}

/// The scores of a task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Micro-F1, in [0, 1].
    pub micro_f1: f64,
    /// Precision.
    pub precision: f64,
    /// Recall.
    pub recall: f64,
    /// Gold spans.
    pub support: u32,
}

impl From<Counts> for Score {
    fn from(counts: Counts) -> Self {
        Self { micro_f1: counts.f1(), precision: counts.precision(), recall: counts.recall(), support: counts.gold }
    }
}

/// The counts of each test sentence by protocol and task.
pub type SentenceCounts = BTreeMap<Protocol, BTreeMap<String, Vec<Counts>>>;

impl CellResult {
    /// Whether the cell in `folder` is finished.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(CELL_FILE).exists()
    }

    /// The result in `folder`; `None` if the cell is not finished.
    ///
    /// # Errors
    /// If it cannot be read, with what to do.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        if !Self::is_in(folder) {
            return Ok(None);
        }
        let advice = |error: peft_files::Error| {
            Error::Config(format!("{error}; remove the file, and the cell is scored again from its checkpoints"))
        };
        Ok(Some(read_json(folder.join(CELL_FILE)).map_err(advice)?))
    }

    /// The counts of each sentence in `folder`.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read_counts(folder: &Path) -> Result<SentenceCounts> {
        Ok(read_json(folder.join(COUNTS_FILE))?)
    }

    /// Writes the result and `counts` into `folder`; `others` take their places before it.
    ///
    /// # Errors
    /// If a file cannot be written; the cell is not finished then.
    pub fn write(&self, folder: &Path, counts: &SentenceCounts, others: Vec<Staged>) -> Result<()> {
        let path = folder.join(CELL_FILE);
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::malformed(&path, e.to_string()))?;
        let counts_path = folder.join(COUNTS_FILE);
        let counts = serde_json::to_string(counts).map_err(|e| Error::malformed(&counts_path, e.to_string()))?;
        let counts = stage(&counts_path, |file| writeln!(file, "{counts}"))?.0;
        let result = stage(&path, |file| writeln!(file, "{text}"))?.0;
        others.into_iter().try_for_each(Staged::commit)?;
        counts.commit()?;
        Ok(result.commit()?)
    }
}
