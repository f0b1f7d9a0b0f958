//! The run that gets a new task.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::Tensor;
use peft_files::load_tensors;
use peft_hyper::HyperConfig;

use super::super::load::{config_of, weights_of};
use crate::config::Config;
use crate::run::{ADAPTER_FILE, RunDir, TagSets};
use crate::{Error, Result};

/// A finished run whose weights come from a hypernetwork.
pub(super) struct TrainedRun {
    pub(super) config: Config,
    pub(super) generator: HyperConfig,
    pub(super) tags: TagSets,
    /// The file of its trained weights.
    pub(super) weights: PathBuf,
}

impl TrainedRun {
    /// Opens `run` without its weights.
    ///
    /// # Errors
    /// [`Error::Config`] if it is no run, is not finished, or has another generator.
    pub(super) fn open(run: &RunDir) -> Result<Self> {
        let config = config_of(run)?;
        let generator = (*config.generator).as_any().downcast_ref::<HyperConfig>().cloned().ok_or_else(|| {
            Error::Config(format!(
                "{}: the weights of this run come from the generator {:?}, which knows no task embeddings to add one to; adapt needs \
                 generator = \"hypernetwork\". Train a model for the new task by itself, or all tasks together, with hyperloader train",
                run.root().display(),
                config.generator.typetag_name()
            ))
        })?;
        let weights = weights_of(run)?;
        if weights != run.root().join(ADAPTER_FILE) {
            return Err(Error::Config(format!(
                "{}: this run is not finished, it has no {ADAPTER_FILE} of its own; finish it with hyperloader train --resume",
                run.root().display()
            )));
        }
        Ok(Self { config, generator, tags: run.load_tags()?, weights })
    }

    /// Its trained weights by name.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub(super) fn tensors(&self) -> Result<BTreeMap<String, Tensor>> {
        Ok(load_tensors(&self.weights)?)
    }
}
