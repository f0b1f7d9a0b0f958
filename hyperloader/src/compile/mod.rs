//! The verb `compile`: one task of a trained model as a model of its own.
//!
//! The task's weights are generated once; what folds goes into the backbone's weights, the rest stays as static weights.
//! The folder needs neither the hypernetwork nor the run that it came from, and labels with the same tokens.

mod partition;
mod task_model;
mod trial;

use std::io::Write;
use std::path::Path;

use candle_core::Device;
use serde::Serialize;

pub use task_model::{Folded, TaskModel};
pub use trial::Trial;

use crate::config::WeightType;
use crate::files::write_dir_atomic;
use crate::run::{ADAPTER_FILE, RunDir, TagSets};
use crate::session::Session;
use crate::{Error, Result};
use peft_files::{save_tensors, write_atomic};
use peft_t5::save_backbone;

/// What compiling amounts to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompileReport {
    /// The task.
    pub task: String,
    /// The `peft_type` of the methods that are in the backbone's weights now.
    pub folded: Vec<String>,
    /// The `peft_type` of the methods that are static weights now.
    pub kept: Vec<String>,
    /// Parameters of the whole model before: backbone, hypernetwork and all.
    pub parameters_before: usize,
    /// Parameters of the compiled model.
    pub parameters_after: usize,
    /// Both models on the same sentences; none if the task names no file to take them from.
    pub trial: Option<Trial>,
}

/// Compiles the task called `task` of `run` into the folder `out`, which must not exist. Its configuration says that the model is
/// to be held in `dtype`.
///
/// The compiled model is loaded again and labels sentences of the task beside the original, both in `f32`; the folder gets its
/// name only if both wrote the same tags.
///
/// # Errors
/// If `out` exists, the run or the task cannot be had, or the two models disagree.
pub fn compile(run: &RunDir, task: &str, out: &Path, dtype: WeightType, device: &Device) -> Result<CompileReport> {
    if out.exists() {
        return Err(Error::Config(format!("{} exists; name a folder that does not", out.display())));
    }
    let (session, _) = Session::load_in(run, device, Some(WeightType::F32))?;
    let task = session.config.task(task)?.name.clone();
    let sentences = trial::sentences(&session, &task)?;
    let before = trial::measure(&session, &task, &sentences)?;
    let tags = trial::tags(&session, &task)?;
    let parameters_before = session.parameters()?;

    let Session { config, tokenizer, model, .. } = session;
    let methods = config.methods_again()?;
    let mut folded = TaskModel::new(&model, &task)?.fold(methods)?;
    let parameters_after = folded.num_parameters()?;
    let mut config = task_model::static_config(config, &task, &mut folded);
    config.model.dtype = dtype;
    write_dir_atomic(out, |folder| {
        save_backbone(&folded.t5, folder)?;
        tokenizer.save(folder.join("tokenizer.json"))?;
        save_tensors(folder.join(ADAPTER_FILE), &folded.weights, peft_files::PYTORCH)?;
        let compiled = RunDir::new(folder);
        let text = config.to_toml()?;
        write_atomic(compiled.config(), |file| file.write_all(text.as_bytes()))?;
        if let Some(tags) = &tags {
            compiled.save_tags(&TagSets::from([(task.clone(), tags.clone())]))?;
        }
        let (session, _) = Session::load_in(&compiled, device, Some(WeightType::F32))?;
        let after = trial::measure(&session, &task, &sentences)?;
        Ok(CompileReport {
            trial: trial::compare(&sentences, before, after)?,
            folded: folded.folded.clone(),
            kept: folded.kept.clone(),
            task: task.clone(),
            parameters_before,
            parameters_after,
        })
    })
}
