//! The verb `export`: one task of a trained model in files that Python libraries load.
//!
//! | format | what is written | loaded by |
//! |---|---|---|
//! | `hf` | the T5 with all methods merged into it | `transformers` |
//! | `peft` | an adapter folder with the backbone in it | `peft` |
//! | `adapterhub` | an adapter folder with the backbone in it | `adapters` |
//!
//! Training may have changed the norms of the backbone, so an adapter fits only the backbone of the run. That is why the backbone is
//! written too, to the folder `base`.

use std::path::{Path, PathBuf};

use candle_core::Device;
use peft_adapter::files::{AdapterHubOptions, BaseModel, write_adapterhub, write_peft};
use peft_core::AdapterCheckpoint;

use crate::Result;
use crate::compile::TaskModel;
use crate::files::write_new_dir;
use crate::model::Precision;
use crate::run::RunDir;
use crate::session::Session;
use peft_t5::save_backbone;

/// The Python library whose files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum ExportFormat {
    /// Hugging Face peft: LoRA, DoRA, IA3, prompt and prefix tuning
    Peft,
    /// AdapterHub's adapters: bottlenecks, LoRA, their unions
    #[cfg_attr(feature = "cli", value(name = "adapterhub"))]
    AdapterHub,
    /// Hugging Face transformers: a plain T5 with all methods merged into it
    Hf,
}

/// What is exported, and where to.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The name of the task.
    pub task: String,
    /// The format.
    pub format: ExportFormat,
    /// The new folder; it must not exist.
    pub out: PathBuf,
}

/// The folder of the backbone within the exported folder.
const BASE: &str = "base";

/// Writes one task of `run` to a new folder.
///
/// # Errors
/// If the folder exists, the run or the task cannot be loaded, or the format cannot hold one of the methods; nothing is written
/// then.
pub fn export(run: &RunDir, options: &ExportOptions, device: &Device) -> Result<()> {
    write_new_dir(&options.out, |folder| export_into(folder, run, options, device))
}

/// Fills `folder`, which gets its final name once this has succeeded.
fn export_into(folder: &Path, run: &RunDir, options: &ExportOptions, device: &Device) -> Result<()> {
    let ExportOptions { task, format, .. } = options;
    let (session, _) = Session::load_in(run, device, Some(Precision::F32))?;
    let task = session.config.task(task)?.name.clone();
    let model = TaskModel::new(&session.model, &task)?;
    let methods = session.config.peft.clone();
    if *format == ExportFormat::Hf {
        let merged = model.merge(methods)?;
        merged.require_plain()?;
        save_backbone(&merged.t5, folder)?;
        return Ok(session.tokenizer.save(folder.join("tokenizer.json"))?);
    }
    let t5 = session.model.backbone();
    let tensors = t5.tensors()?;
    let base = BaseModel::new(t5.sites()).tensors(&tensors);
    let adapter = AdapterCheckpoint { methods, weights: model.static_weights(|_| true) };
    match format {
        ExportFormat::AdapterHub => {
            let options = AdapterHubOptions::new(task.replace('.', "_"));
            write_adapterhub(folder, &adapter, &base, &options)?;
        }
        _ => write_peft(folder, &adapter, &base.name(BASE))?,
    }
    save_backbone(t5, folder.join(BASE))?;
    Ok(session.tokenizer.save(folder.join(BASE).join("tokenizer.json"))?)
}
