//! The verb `train`: one run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use candle_core::{Device, Tensor};
use datasets::Example;
use datasets::encode::TruncationCount;
use peft_kernels::Reduction;
use tracing::{info, warn};

use super::Session;
use crate::config::{Config, TaskConfig};
use crate::run::{RunDir, TagSets};
use crate::tasks::{Cache, Encoded, Notices, SplitName};
use crate::telemetry::{Telemetry, TelemetryOptions};
use crate::train::{Interrupt, Labelling, LabellingOptions, TaskData, TrainOptions, TrainOutput, Trainer};
use crate::{Error, Result};
use peft_files::write_atomic;

/// The least time between two lines of progress where stderr is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How a run is carried out, in addition to its configuration.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Continue from the newest checkpoint.
    pub resume: bool,
    /// Show no progress on stderr.
    pub quiet: bool,
    /// Saves the state and stops the run between two steps.
    pub interrupt: Interrupt,
}

/// Trains the model of `config` in the run folder `out`.
///
/// # Errors
/// If the folder already holds a run and `resume` is off, or a step on the way fails; [`Error::Interrupted`] once the
/// interrupt is requested.
pub fn train(config: Config, out: &Path, device: &Device, options: &RunOptions) -> Result<TrainOutput> {
    config.model.check_trains()?;
    let run = RunDir::new(out);
    let resuming = prepare(&run, options.resume)?;
    let session = Session::new(config, device)?;
    let config = &session.config;
    write_config(&run, config)?;
    let cache = open_cache(&session)?;
    let tasks = config
        .require_tasks()?
        .iter()
        .map(|task| load_task(&session, task, cache.as_ref()))
        .collect::<Result<Vec<_>>>()?;
    run.save_tags(&tag_sets(&tasks))?;
    let labelling_options = labelling_options(config, device);
    let labelling = Labelling::new(&session.model, &session.tokenizer, &tasks, labelling_options)?;
    let trainer = Trainer::new(session.model.store(), labelling, train_options(config, &tasks), run.clone())?;
    let mut trainer = trainer.with_interrupt(options.interrupt.clone());
    match resuming {
        true => _ = trainer.resume()?,
        false => trainer.check_gradients(&frozen(&session)?)?,
    }
    let mut telemetry = open_telemetry(&run, config.train.max_steps.get(), options, resuming)?;
    let output = trainer.run(&mut telemetry);
    telemetry.finish()?;
    output
}

/// Refuses to overwrite a run; returns whether there is a checkpoint to continue from.
pub(super) fn prepare(run: &RunDir, resume: bool) -> Result<bool> {
    let started = run.config().exists() || !run.steps()?.is_empty();
    if started && !resume {
        return Err(Error::Config(format!(
            "{} already holds a run; give another --out, or --resume to continue it",
            run.root().display()
        )));
    }
    std::fs::create_dir_all(run.root()).map_err(|e| Error::io(run.root(), e))?;
    if run.checkpoints().exists() {
        crate::files::remove_leftovers(run.checkpoints())?;
    }
    Ok(run.last()?.is_some())
}

pub(super) fn write_config(run: &RunDir, config: &Config) -> Result<()> {
    let text = config.to_toml()?;
    Ok(write_atomic(run.config(), |file| std::io::Write::write_all(file, text.as_bytes()))?)
}

pub(super) fn open_telemetry(
    run: &RunDir,
    total_steps: usize,
    options: &RunOptions,
    resuming: bool,
) -> Result<Telemetry> {
    Telemetry::open(&TelemetryOptions {
        folder: run.root().to_path_buf(),
        resume_step: if resuming { run.last()? } else { None },
        total_steps,
        quiet: options.quiet,
        line_every: LINE_EVERY,
        tensorboard: true,
    })
}

fn tag_sets(tasks: &[TaskData]) -> TagSets {
    tasks.iter().map(|task| (task.corpus.name.clone(), task.tags.clone())).collect()
}

fn open_cache(session: &Session) -> Result<Option<Cache>> {
    let data = &session.config.data;
    let folder = data.encoded_folder();
    if folder.is_none() && data.cache {
        warn!("cache: no folder for encoded sentences; set data.cache_dir or HYPERLOADER_CACHE");
    }
    folder.map(|folder| Cache::open(folder, &session.tokenizer)).transpose()
}

fn load_task(session: &Session, task: &TaskConfig, cache: Option<&Cache>) -> Result<TaskData> {
    let corpus = session.config.corpus(task)?;
    let tokenizer = &session.tokenizer;
    let notices = Notices::of(&corpus, tokenizer)?;
    notices.decisions.iter().for_each(|line| info!("{} {line}", task.name));
    notices.warnings.iter().for_each(|line| warn!("{}: {line}", task.name));
    let train = match cache {
        Some(cache) => corpus.load_cached(SplitName::Train, tokenizer, cache, |note| warn!("cache: {note}"))?,
        None => corpus.load(SplitName::Train, tokenizer)?,
    };
    report(&task.name, SplitName::Train, &train);
    let validation = task.validation.is_some().then(|| -> Result<Vec<Example>> {
        let (mut examples, skipped) = corpus.read(SplitName::Validation)?;
        let encoded = Encoded { pairs: corpus.encode(&examples, tokenizer)?, skipped };
        report(&task.name, SplitName::Validation, &encoded);
        let limit = session.config.train.eval_sentences;
        if limit > 0 {
            examples.truncate(limit);
        }
        Ok(examples)
    });
    let tags = corpus.tags()?;
    Ok(TaskData { corpus, tags, train: Arc::new(train.pairs), validation: validation.transpose()? })
}

/// Reports truncated sentences and skipped lines of a split.
fn report(task: &str, split: SplitName, encoded: &Encoded) {
    let truncated = TruncationCount::of(encoded.pairs.iter());
    if truncated.any() {
        warn!("{task} {split}: {truncated}");
    }
    if encoded.skipped > 0 {
        warn!("{task} {split}: {} bad lines left out", encoded.skipped);
    }
}

/// The backbone's tensors that do not train.
fn frozen(session: &Session) -> Result<Vec<(String, Tensor)>> {
    let trainable = session.config.model.trainable;
    Ok(session.model.backbone().parameters()?.into_iter().filter(|(name, _)| !trainable.covers(name)).collect())
}

fn labelling_options(config: &Config, device: &Device) -> LabellingOptions {
    LabellingOptions {
        temperature: config.data.temperature,
        seed: config.seed,
        batch_size: config.train.batch_size.get(),
        length_buckets: config.data.length_buckets.unwrap_or(config.train.loss_reduction == Reduction::Sum),
        loss: config.train.loss(),
        decode: (&config.eval).into(),
        mode: config.eval.mode,
        device: device.clone(),
    }
}

fn train_options(config: &Config, tasks: &[TaskData]) -> TrainOptions {
    let sentences: usize = tasks.iter().map(|t| t.train.len()).sum();
    let per_step = config.train.batch_size.get() * config.train.gradient_accumulation_steps.get();
    TrainOptions {
        seed: config.seed,
        steps_per_epoch: sentences as f64 / per_step as f64,
        ..TrainOptions::from(&config.train)
    }
}
