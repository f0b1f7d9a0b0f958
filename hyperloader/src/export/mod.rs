//! The verb `export`: one task of a trained model in files that Python loads.
//!
//! | format | what is written | loaded by |
//! |---|---|---|
//! | `hf` | the T5 with everything folded into it | `transformers` |
//! | `peft` | an adapter folder, and the backbone beside it | `peft` |
//! | `adapterhub` | an adapter folder, and the backbone beside it | `adapters` |
//!
//! The backbone goes along in the folder `base`, since its norms may have been trained: the adapter belongs to that one, and
//! not to the model that training began from.

use std::path::Path;

use candle_core::Device;
use peft_adapter::files::{AdapterHubOptions, BaseModel, write_adapterhub, write_peft};
use peft_core::AdapterCheckpoint;

use crate::compile::TaskModel;
use crate::config::WeightType;
use crate::files::write_dir_atomic;
use crate::run::RunDir;
use crate::session::Session;
use crate::{Error, Result};
use peft_t5::save_backbone;

/// Whose files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Hugging Face `peft`: LoRA, DoRA, IA3, prompt and prefix tuning.
    Peft,
    /// AdapterHub's `adapters`: bottlenecks, LoRA and their unions.
    AdapterHub,
    /// Hugging Face `transformers`: a plain T5.
    Hf,
}

/// The folder, within the exported one, of the backbone that an adapter belongs to.
const BASE: &str = "base";

/// Writes the task called `task` of `run` to the folder `out`, which must not exist.
///
/// # Errors
/// If `out` exists, the run or the task cannot be had, or the format has no place for one of the methods; nothing is written
/// then.
pub fn export(run: &RunDir, task: &str, format: ExportFormat, out: &Path, device: &Device) -> Result<()> {
    if out.exists() {
        return Err(Error::Config(format!("{} exists; name a folder that does not", out.display())));
    }
    let (session, _) = Session::load_in(run, device, Some(WeightType::F32))?;
    let task = session.config.task(task)?.name.clone();
    let model = TaskModel::new(&session.model, &task)?;
    let methods = session.config.methods_again()?;
    write_dir_atomic(out, |folder| {
        if format == ExportFormat::Hf {
            let folded = model.fold(methods)?;
            folded.require_plain()?;
            save_backbone(&folded.t5, folder)?;
            return Ok(session.tokenizer.save(folder.join("tokenizer.json"))?);
        }
        let t5 = session.model.t5();
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
    })
}
