//! `adapt`: one more task for a trained run.

use std::io::Write;

use candle_core::Device;

use super::args::AdaptArgs;
use super::output::written;
use crate::config::TaskConfig;
use crate::model::Precision;
use crate::run::RunDir;
use crate::session::{self, AdaptOptions, RunOptions};
use crate::{Error, Result};

pub(super) fn adapt(args: &AdaptArgs, device: &Device, options: &RunOptions, out: &mut dyn Write) -> Result<()> {
    let adaptation = AdaptOptions {
        run: RunDir::new(&args.run),
        task: TaskConfig {
            validation: args.validation.clone(),
            test: args.test.clone(),
            ..TaskConfig::new(&args.task, &args.data)
        },
        unfreeze: args.unfreeze,
        overrides: args.overrides.clone(),
    };
    let adapted = session::adapt(&adaptation, &args.out, device, options).map_err(blame)?;
    let best = adapted.best.map_or_else(String::new, |best| format!(", validation micro-F1 {:.2}", 100. * best.score));
    written(writeln!(out, "{}: step {}{best}", args.out.display(), adapted.selected))
}

/// The outputs of the run's tasks depend on the type of its frozen matrices.
pub(super) fn refuse_dtype(given: Option<Precision>) -> Result<()> {
    let refused =
        |_| Err(Error::setting("--dtype", "adapt keeps that of the run, because its tasks depend on it; leave it out"));
    given.map_or(Ok(()), refused)
}

/// The error with the option that gave the new task's file or name, where it names the key of the configuration.
fn blame(error: Error) -> Error {
    let Error::Setting { key, source } = error else { return error };
    let option = match key.rsplit('.').next() {
        Some("task") => "--task",
        Some("train") if key.starts_with("tasks.") => "--data",
        Some("validation") if key.starts_with("tasks.") => "--validation",
        Some("test") if key.starts_with("tasks.") => "--test",
        _ => key.as_str(),
    };
    Error::Setting { key: option.to_owned(), source }
}
