//! Everything once, offline and in minutes: a corpus from the project's own grammar, a tokenizer and a small T5 pretrained on
//! it, HyperLoader on top of that frozen backbone, and its scores.

pub mod grammar;

use std::path::Path;

use candle_core::Device;
use datasets::read::{Dataset, Format, write};

use crate::config::{Config, TaskConfig};
use crate::eval::EvalReport;
use crate::run::RunDir;
use crate::session::{RunOptions, ScoreOptions, Session, pretrain, score_run, train};
use crate::tasks::SplitName;
use crate::{Error, Result};

/// The configuration, but for paths and seed.
const CONFIG: &str = include_str!("quickstart.toml");
/// Sentences of a task's training, validation and test data.
const SENTENCES: [usize; 3] = [4000, 200, 500];

/// Runs the quickstart in the new folder `out`: `data/`, `backbone/`, `run/`; returns the scores on the test sentences.
///
/// # Errors
/// [`Error::Config`] if `out` holds something already; otherwise whatever a step fails with.
pub fn quickstart(out: &Path, seed: u64, device: &Device, options: &RunOptions) -> Result<EvalReport> {
    if out.exists() && std::fs::read_dir(out).map_err(|e| Error::io(out, e))?.next().is_some() {
        return Err(Error::Config(format!("{} is not empty; give another --out", out.display())));
    }
    let (backbone, run) = (out.join("backbone"), RunDir::new(out.join("run")));
    let mut config = Config::from_toml(CONFIG)?;
    config.seed = seed;
    config.model.name = backbone.to_string_lossy().into_owned();
    config.tasks = write_corpora(&out.join("data"), seed)?;
    pretrain(&config, &backbone, device, options)?;
    train(config, run.root(), device, options)?;
    let (session, step) = Session::load(&run, device)?;
    score_run(&run, &session, &ScoreOptions { split: SplitName::Test, tasks: Vec::new(), step })
}

/// What to try next, for the person who ran the quickstart in `out`.
pub fn next_steps(out: &Path) -> String {
    let run = out.join("run");
    let run = run.display();
    format!(
        "\nTag a sentence:\n  echo 'book a flight from rome to new york on monday' | hyperloader predict {run} --task travel --format inline\n\
         See what was trained:\n  hyperloader params --config {run}/config.toml\n\
         Train on data of your own: copy {run}/config.toml and change [[tasks]]\n"
    )
}

/// Writes each grammar's sentences as `.bio` files; returns the tasks that read them.
fn write_corpora(folder: &Path, seed: u64) -> Result<Vec<TaskConfig>> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let mut tasks = Vec::new();
    for task in grammar::tasks() {
        let mut paths = Vec::new();
        for (split, n) in grammar::Split::ALL.into_iter().zip(SENTENCES) {
            let path = folder.join(format!("{}.{}.bio", task.name, split.name()));
            let examples = grammar::generate(task, split.seed(seed), n)?;
            write(&Dataset::from_examples(examples), &path, Format::Bio)?;
            paths.push(path);
        }
        let [train, validation, test]: [_; 3] =
            paths.try_into().map_err(|_| Error::Config("a corpus has three splits".into()))?;
        tasks.push(TaskConfig { validation: Some(validation), test: Some(test), ..TaskConfig::new(task.name, train) });
    }
    Ok(tasks)
}
