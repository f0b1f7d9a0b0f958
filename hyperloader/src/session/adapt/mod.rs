//! The verb `adapt`: one more task for a trained run, without training the others again.

mod config;
mod options;
mod trained;

pub use options::{AdaptOptions, Unfreeze};

use std::path::Path;

use candle_core::{Device, Tensor};
use peft_core::ParamStore;
use peft_hyper::new_task;

use self::config::adapted;
use self::trained::TrainedRun;
use super::inputs::{of_file, of_training};
use super::place::open_place;
use super::resume::{ADAPTED, Verb, require_same};
use super::train::{Start, carry_out, load_task, open_cache, require_distinct_tags};
use super::{RunOptions, Session};
use crate::config::Config;
use crate::run::{RunDir, Workplace};
use crate::train::{TaskData, TrainOutput};
use crate::{Error, Result};

/// Adds a task to the hypernetwork of a trained run, and trains in the run folder `out` what belongs to that task alone. Everything
/// else is frozen, so that the weights generated for the other tasks stay the same bit by bit. The trained run is only read.
///
/// The new folder is a run folder like any other, with the old tasks and the new one.
///
/// Everything is checked before the first file is written. If training fails before its first checkpoint, the folder is left as
/// it was.
///
/// # Errors
/// If the trained run is not finished, has no hypernetwork, already has a task of that name, or cannot be read; if the new data cannot
/// be read or have no entity; if a setting would change the old tasks; and as [`train`](super::train).
pub fn adapt(adaptation: &AdaptOptions, out: &Path, device: &Device, options: &RunOptions) -> Result<TrainOutput> {
    let trained = TrainedRun::open(&adaptation.run)?;
    let config = adapted(&trained, adaptation)?;
    config.corpus(config.task(&adaptation.task.name)?)?.require_files()?;
    let place = open_place(&options.ranks, RunDir::new(out), options.resume)?;
    let output = adapt_in(&place, Prepared { trained, config, adaptation }, device, options);
    place.close(output)
}

/// What is known before the run folder is opened.
struct Prepared<'a> {
    trained: TrainedRun,
    config: Config,
    adaptation: &'a AdaptOptions,
}

fn adapt_in(place: &Workplace, prepared: Prepared<'_>, device: &Device, options: &RunOptions) -> Result<TrainOutput> {
    let Prepared { trained, config, adaptation } = prepared;
    if let Some(step) = place.checkpoint() {
        require_same(place.run(), step, &config, Verb::Adapt, &options.ranks)?;
    }
    let name = &adaptation.task.name;
    let frozen = trained.tensors()?;
    let new = new_task(&frozen, name, adaptation.unfreeze.unshared())?;
    let session = Session::with_store(config, ParamStore::with_frozen(new, frozen, device), device)?;
    let task = load_task(&session, session.config.task(name)?, open_cache(&session)?.as_ref())?;
    require_entities(&task)?;
    require_distinct_tags(&session, &task)?;

    let tasks = [task];
    let mut inputs = of_training(&session, &tasks)?;
    inputs.insert(ADAPTED.to_owned(), of_file(&trained.weights)?);
    let mut tags = trained.tags;
    tags.extend(tasks.iter().map(|task| (task.corpus.name.clone(), task.tags.clone())));
    let start = Start { inputs, tags, frozen: frozen_tensors(&session)? };
    carry_out(place, &session, &tasks, start, options)
}

/// Without a type there is nothing to learn, and structured decoding could only choose `O`.
fn require_entities(task: &TaskData) -> Result<()> {
    let is_type = |tag: &String| !matches!(tag.as_str(), "O" | "I");
    if task.tags.iter().any(is_type) {
        return Ok(());
    }
    let reason = "no sentence has an entity: every tag is O; give data with at least one tagged entity";
    Err(Error::malformed(&task.corpus.train, reason))
}

/// The backbone's tensors and those of the trained tasks.
fn frozen_tensors(session: &Session) -> Result<Vec<(String, Tensor)>> {
    let store = session.model.store();
    let variables = store.vars();
    let is_variable = |name: &String| variables.iter().any(|(variable, _)| variable == name);
    let mut all = session.model.backbone().parameters()?;
    all.extend(store.tensors());
    Ok(all.into_iter().filter(|(name, _)| !is_variable(name)).collect())
}
