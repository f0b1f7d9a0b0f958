//! The run folder: the files of a run.

mod own;
mod tags;
mod workplace;

pub use tags::TagSets;
pub(crate) use workplace::Workplace;

use std::path::{Path, PathBuf};

use crate::Result;
use crate::files::{update_link, verify_manifest};

/// The trained weights within a checkpoint or a run.
pub const ADAPTER_FILE: &str = "adapter_model.safetensors";

/// The weights of a whole backbone, within a checkpoint or a folder of `pretrain`; under Hugging Face's file name.
pub const MODEL_FILE: &str = "model.safetensors";

/// A run folder:
///
/// ```text
/// config.toml                 the resolved configuration
/// tags.json                   the tags of each task, which structured decoding chooses from
/// metrics.jsonl               one line per logged step
/// events.out.tfevents.*       the same for TensorBoard
/// checkpoints/step-N/         trained weights, optimizer, sampler and random state, manifest with hashes
/// best -> checkpoints/step-N  the selected checkpoint, which eval and predict use
/// adapter_model.safetensors   its trained weights, once the run is done
/// eval/*.json                 metrics by split
/// predictions/SPLIT/*.jsonl   predicted tags by split and task
/// ```
#[derive(Debug, Clone)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// The run in `root`, whether or not it exists.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The resolved configuration.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// Whether the folder holds its backbone itself, as a compiled model does.
    pub fn is_self_contained(&self) -> bool {
        self.root.join(MODEL_FILE).is_file() && self.root.join("config.json").is_file()
    }

    /// The folder of checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The checkpoint of `step`.
    pub fn checkpoint(&self, step: usize) -> PathBuf {
        self.checkpoints().join(format!("step-{step}"))
    }

    /// The link to the selected checkpoint.
    pub fn best(&self) -> PathBuf {
        self.root.join("best")
    }

    /// The metrics of `split`.
    pub fn eval(&self, split: &str) -> PathBuf {
        self.root.join("eval").join(format!("{split}.json"))
    }

    /// The predictions for `task` on `split`.
    pub fn predictions(&self, split: &str, task: &str) -> PathBuf {
        self.root.join("predictions").join(split).join(format!("{task}.jsonl"))
    }

    /// The steps that have a checkpoint, in ascending order. Folders with other names are ignored.
    ///
    /// # Errors
    /// If the folder of checkpoints cannot be read.
    pub fn steps(&self) -> Result<Vec<usize>> {
        let folder = self.checkpoints();
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(&folder).map_err(|e| crate::Error::io(&folder, e))?;
        let step = |name: &str| name.strip_prefix("step-").and_then(|n| n.parse().ok());
        let mut steps: Vec<usize> = entries.flatten().filter_map(|e| step(e.file_name().to_str()?)).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// The step of the newest checkpoint, whose files are checked against its manifest.
    ///
    /// # Errors
    /// If the newest checkpoint is damaged. An older one is not used instead: that would silently lose work.
    pub fn last(&self) -> Result<Option<usize>> {
        let Some(step) = self.steps()?.pop() else {
            return Ok(None);
        };
        verify_manifest(self.checkpoint(step))?;
        Ok(Some(step))
    }

    /// Points `best` at the checkpoint of `step`.
    ///
    /// # Errors
    /// If the link cannot be written.
    pub fn select(&self, step: usize) -> Result<()> {
        update_link(self.best(), self.checkpoint(step))
    }

    /// Removes the oldest checkpoints until `limit` are left, but neither `keep` nor the newest.
    ///
    /// # Errors
    /// If a folder cannot be removed.
    pub fn prune(&self, limit: usize, keep: Option<usize>) -> Result<()> {
        let steps = self.steps()?;
        let old = steps.len().saturating_sub(limit.max(1));
        for &step in steps.iter().take(old).filter(|&&step| Some(step) != keep) {
            let folder = self.checkpoint(step);
            std::fs::remove_dir_all(&folder).map_err(|e| crate::Error::io(&folder, e))?;
        }
        Ok(())
    }
}
