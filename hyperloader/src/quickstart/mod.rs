//! The whole project in one run, offline and in minutes. It generates sentences from templates, trains a tokenizer and
//! pretrains a small T5 on them, freezes this backbone, trains HyperLoader on top and scores it.

pub mod templates;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::path::{Path, PathBuf};

use candle_core::Device;
use datasets::read::{Dataset, Format, write};
use peft_files::create_folders;

use self::templates::Templates;
use crate::config::{Config, TaskConfig};
use crate::eval::EvalReport;
use crate::files::{FolderLock, unicode};
use crate::run::RunDir;
use crate::session::{RunOptions, ScoreOptions, Session, pretrain, score_run, train};
use crate::shell::shell_word;
use crate::tasks::SplitName;
use crate::{Error, Result};

/// The configuration without paths and seed.
const CONFIG: &str = include_str!("quickstart.toml");

/// The folders within the quickstart's folder.
const FOLDERS: [&str; 3] = ["data", "backbone", "run"];

/// Runs the quickstart and returns the scores on the test sentences. It creates `data/`, `backbone/` and `run/` in the
/// folder `out`, and removes them if it fails; after an interrupt they stay.
///
/// # Errors
/// [`Error::Config`] if `out` is not empty, or if another process is writing there. Every other error comes from the step that
/// failed.
pub fn quickstart(out: &Path, seed: u64, device: &Device, options: &RunOptions) -> Result<EvalReport> {
    let made = create_folders(out)?;
    let _lock = FolderLock::take(out)?;
    if std::fs::read_dir(out).map_err(|e| Error::io(out, e))?.next().is_some() {
        return Err(Error::Config(format!("{} is not empty; give another --out", out.display())));
    }
    let report = quickstart_in(out, seed, device, options);
    match report {
        Ok(_) | Err(Error::Interrupted { .. }) => made.keep(),
        // What cannot be removed is left; the error of the quickstart counts.
        Err(_) => FOLDERS.iter().for_each(|name| _ = std::fs::remove_dir_all(out.join(name))),
    }
    report
}

fn quickstart_in(out: &Path, seed: u64, device: &Device, options: &RunOptions) -> Result<EvalReport> {
    let [data, backbone, run] = FOLDERS.map(|name| out.join(name));
    let run = RunDir::new(run);
    let mut config = Config::from_toml(CONFIG)?;
    config.seed = seed;
    config.model.name = unicode(&backbone)?;
    config.tasks = write_corpora(&data, seed)?;
    pretrain(&config, &backbone, device, options)?;
    train(config, run.root(), device, options)?;
    let (session, step) = Session::load(&run, device)?;
    let options = ScoreOptions { split: SplitName::Test, tasks: Vec::new(), step, predictions: true };
    score_run(&run, &session, &options)
}

/// Suggests commands to try after the quickstart has run in `out`.
pub fn next_steps(out: &Path) -> String {
    let (run, config) = (shell_word(&out.join("run")), shell_word(&out.join("run/config.toml")));
    format!(
        "\nTag a sentence:\n  echo 'book a flight from rome to new york on monday' | hyperloader predict {run} --task travel --format inline\n\
         See what was trained:\n  hyperloader params --config {config}\n\
         Train on data of your own: copy {config} and change [[tasks]]\n"
    )
}

/// Writes the sentences of every task to `.bio` files and returns the tasks that read them.
fn write_corpora(folder: &Path, seed: u64) -> Result<Vec<TaskConfig>> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let templates = Templates::load()?;
    let mut tasks = Vec::new();
    for task in &templates.tasks {
        let write_split = |split: SplitName, sentences: usize| -> Result<PathBuf> {
            let path = folder.join(format!("{}.{split}.bio", task.name));
            let examples = templates.draw(task, split, seed, sentences)?;
            write(&Dataset::from_examples(examples), &path, Format::Bio)?;
            Ok(path)
        };
        tasks.push(TaskConfig {
            validation: Some(write_split(SplitName::Validation, 200)?),
            test: Some(write_split(SplitName::Test, 500)?),
            ..TaskConfig::new(&task.name, write_split(SplitName::Train, 4000)?)
        });
    }
    Ok(tasks)
}
