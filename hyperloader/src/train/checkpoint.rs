//! Saving and restoring everything that a step depends on.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::Inputs;
use crate::files::{verify_manifest, write_dir_atomic};
use crate::{Error, Result};
use peft_files::{PYTORCH, load_tensors, save_tensors};

const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const STATE_FILE: &str = "state.json";

/// The best checkpoint so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Its step.
    pub step: usize,
    /// Its score. It is written as text: a JSON number may be read back with another last bit.
    #[serde(with = "as_text")]
    pub score: f64,
}

/// A number as the shortest text that reads back as the same bits.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|e| serde::de::Error::custom(format!("{text:?} is not a number: {e}")))
    }
}

/// What a checkpoint keeps in addition to tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Optimizer steps done.
    pub step: usize,
    /// The number of labels that were trained on.
    pub tokens: usize,
    /// The best checkpoint so far.
    pub best: Option<Best>,
    /// The state of the objective's samplers.
    pub objective: serde_json::Value,
    /// The ranks that trained the last step.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: NonZeroUsize,
    /// Hashes of what the run learns from. Checkpoints of older versions have none.
    #[serde(default, skip_serializing_if = "Inputs::is_empty")]
    pub inputs: Inputs,
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(ranks: &NonZeroUsize) -> bool {
    ranks.get() == 1
}

impl State {
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(STATE_FILE);
        Ok(peft_files::read_json(path)?)
    }
}

/// The hashes that the checkpoint in `folder` keeps of what its run learns from.
///
/// # Errors
/// If its state cannot be read.
pub(crate) fn inputs_of(folder: &Path) -> Result<Inputs> {
    Ok(State::read(folder)?.inputs)
}

/// The number of ranks that trained the last step before the checkpoint in `folder`.
///
/// # Errors
/// If its state cannot be read.
pub(crate) fn ranks_of(folder: &Path) -> Result<usize> {
    Ok(State::read(folder)?.ranks.get())
}

/// A checkpoint's content.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) state: State,
    pub(super) weights: BTreeMap<String, Tensor>,
    pub(super) optimizer: BTreeMap<String, Tensor>,
}

impl Checkpoint {
    /// Writes a temporary folder and renames it to `folder`.
    pub(super) fn save(&self, folder: &Path, weights_file: &str) -> Result<()> {
        let state =
            serde_json::to_string_pretty(&self.state).map_err(|e| Error::malformed(STATE_FILE, e.to_string()))?;
        write_dir_atomic(folder, |dir| {
            save_tensors(dir.join(weights_file), &self.weights, PYTORCH)?;
            save_tensors(dir.join(OPTIMIZER_FILE), &self.optimizer, None)?;
            let path = dir.join(STATE_FILE);
            std::fs::write(&path, &state).map_err(|e| Error::io(&path, e))
        })
    }

    /// Reads a folder after checking every file against its manifest.
    pub(super) fn load(folder: &Path, weights_file: &str) -> Result<Self> {
        verify_manifest(folder)?;
        Ok(Self {
            state: State::read(folder)?,
            weights: load_tensors(folder.join(weights_file))?,
            optimizer: load_tensors(folder.join(OPTIMIZER_FILE))?,
        })
    }
}
