//! The configuration of the adapted run: that of the trained run with one more task.

use std::num::NonZeroUsize;

use peft_core::nonzero;

use super::options::AdaptOptions;
use super::trained::TrainedRun;
use crate::config::{Config, TrainConfig};
use crate::session::resume::keys_of;
use crate::{Error, Result};

/// Optimizer steps, unless `train.max_steps` says otherwise.
const STEPS: NonZeroUsize = nonzero(600);

/// The configuration of `trained` with the task of `adaptation`, the settings of training one task, and the overrides.
///
/// # Errors
/// [`Error::Config`] if there is a task of that name, or an override is wrong or would change the trained tasks.
pub(super) fn adapted(trained: &TrainedRun, adaptation: &AdaptOptions) -> Result<Config> {
    let AdaptOptions { task, unfreeze, overrides, .. } = adaptation;
    let mut config = trained.config.clone();
    if config.tasks.iter().any(|known| known.name == task.name) {
        let names: Vec<&str> = config.tasks.iter().map(|task| task.name.as_str()).collect();
        return Err(Error::setting(
            "task",
            format!("the run already has a task {:?}; its tasks: {}; give another name", task.name, names.join(", ")),
        ));
    }
    let number = config.tasks.len();
    config.tasks.push(task.clone());
    if let Some(unshared) = unfreeze.unshared() {
        config.generator = Box::new(trained.generator.clone().unshare(&task.name, unshared));
    }
    // All sentences of the new task are used; those of the others train no more.
    config.data.fraction = 1.0;
    config.pretrain = None;
    config.train = TrainConfig {
        output_dir: None,
        max_steps: STEPS,
        gradient_accumulation_steps: nonzero(1),
        learning_rate: unfreeze.learning_rate(),
        warmup_steps: 0,
        eval_steps: 100,
        save_steps: 0,
        logging_steps: nonzero(10),
        ..config.train
    };
    let overrides: Vec<String> = overrides.iter().map(|text| of_new_task(text, number)).collect();
    let changed = config.with_overrides(&overrides)?;
    require_old_tasks_unchanged(&config, &changed, number)?;
    Ok(changed)
}

/// An override of `task.KEY` as one of the new task's table.
fn of_new_task(text: &str, number: usize) -> String {
    match text.trim_start().strip_prefix("task.") {
        Some(rest) => format!("tasks.{number}.{rest}"),
        None => text.to_owned(),
    }
}

/// Refuses overrides that would change what the trained tasks compute or mean.
fn require_old_tasks_unchanged(before: &Config, after: &Config, number: usize) -> Result<()> {
    let (before, after) = (keys_of(before)?, keys_of(after)?);
    let new_task = format!("tasks.{number}.");
    let may_change = |key: &str| {
        let of_task = key.strip_prefix(&new_task).is_some_and(|rest| rest != "name");
        let of_data = ["data.cache", "data.cache_dir", "data.length_buckets", "data.on_bad_line"].contains(&key);
        of_task || of_data || key.starts_with("train.")
    };
    let differs = |key: &&String| before.get(*key) != after.get(*key) && !may_change(key);
    match before.keys().chain(after.keys()).find(differs) {
        None => Ok(()),
        Some(key) => Err(Error::setting(
            key,
            "adapt cannot change it, because the run's tasks depend on it; what --set may change are train.KEY and, for the new task, \
             task.KEY",
        )),
    }
}
