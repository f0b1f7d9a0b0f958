//! The verb `compile`: one task of a trained model as a separate model.
//!
//! The task's weights are generated once. Methods that can be merged become part of the backbone's weights; the others stay as
//! static weights. The compiled model needs neither the hypernetwork nor the run, and writes the same tags.

mod partition;
mod task_model;
mod trial;

use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::Serialize;

pub use task_model::{MergedTask, TaskModel};
pub use trial::Trial;

use crate::Result;
use crate::files::{unicode, write_new_dir};
use crate::model::Precision;
use crate::run::{ADAPTER_FILE, RunDir, TagSets};
use crate::session::Session;
use peft_files::{save_tensors, write_atomic};
use peft_t5::save_backbone;

/// How a task is compiled.
#[derive(Debug, Clone)]
pub struct CompileOptions {
    /// The name of the task.
    pub task: String,
    /// The new folder; it must not exist.
    pub out: PathBuf,
    /// The type in which the compiled model holds its frozen matrices, according to its configuration.
    pub dtype: Precision,
}

/// The result of compiling.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompileReport {
    /// The task.
    pub task: String,
    /// The `peft_type` of the methods that were merged into the backbone's weights.
    #[serde(rename = "folded")]
    pub merged: Vec<String>,
    /// The `peft_type` of the methods that were kept as static weights.
    pub kept: Vec<String>,
    /// Parameters of the trained model: the backbone's and the generator's.
    pub parameters_before: usize,
    /// Parameters of the compiled model.
    pub parameters_after: usize,
    /// Both models on the same sentences; `None` if none of the task's files exists.
    pub trial: Option<Trial>,
}

/// Compiles one task of `run` into a new folder.
///
/// Before the folder gets its name, the compiled model is loaded from it and labels sentences of the task, as the trained model
/// does, both in `f32`. Both must write the same tags.
///
/// # Errors
/// If the folder exists, the run or the task cannot be loaded, or the two models disagree.
pub fn compile(run: &RunDir, options: &CompileOptions, device: &Device) -> Result<CompileReport> {
    unicode(&options.out)?;
    write_new_dir(&options.out, |folder| compile_into(folder, run, options, device))
}

/// Fills `folder`, which gets its final name once this has succeeded.
fn compile_into(folder: &Path, run: &RunDir, options: &CompileOptions, device: &Device) -> Result<CompileReport> {
    let CompileOptions { task, dtype, .. } = options;
    let (session, _) = Session::load_in(run, device, Some(Precision::F32))?;
    task_model::require_weights_of_a_task(&session.model)?;
    let task = session.config.task(task)?.name.clone();
    let sentences = trial::sentences(&session, &task)?;
    let before = trial::measure(&session, &task, &sentences)?;
    let tags = trial::tags(&session, &task)?;
    let parameters_before = session.parameters()?;

    let Session { config, tokenizer, model, .. } = session;
    let mut merged = TaskModel::new(&model, &task)?.merge(config.peft.clone())?;
    let parameters_after = merged.num_parameters()?;
    let mut config = task_model::static_config(config, &task, &mut merged);
    config.model.dtype = *dtype;
    save_backbone(&merged.t5, folder)?;
    tokenizer.save(folder.join("tokenizer.json"))?;
    save_tensors(folder.join(ADAPTER_FILE), &merged.weights, peft_files::PYTORCH)?;
    let compiled = RunDir::new(folder);
    let text = config.to_toml()?;
    write_atomic(compiled.config(), |file| file.write_all(text.as_bytes()))?;
    if let Some(tags) = &tags {
        compiled.save_tags(&TagSets::from([(task.clone(), tags.clone())]))?;
    }
    let (session, _) = Session::load_in(&compiled, device, Some(Precision::F32))?;
    let after = trial::measure(&session, &task, &sentences)?;
    Ok(CompileReport {
        trial: trial::compare(&sentences, before, after)?,
        merged: merged.merged.clone(),
        kept: merged.kept.clone(),
        task,
        parameters_before,
        parameters_after,
    })
}
