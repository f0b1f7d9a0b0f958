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
use super::inputs::of_training;
use super::place::open_place;
use super::resume::{Verb, require_same};
use crate::Result;
use crate::config::{Config, TaskConfig};
use crate::label::{Decoding, tag_decoder};
use crate::model::ModelName;
use crate::run::{RunDir, TagSets, Workplace};
use crate::tasks::{Cache, Encoded, Notices, SplitName};
use crate::telemetry::{Telemetry, TelemetryOptions};
use crate::train::{
    Inputs, Interrupt, Labelling, LabellingOptions, Ranks, TaskData, TrainOptions, TrainOutput, Trainer,
};
use peft_files::write_listed;

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
    /// The ranks that train together.
    pub ranks: Ranks,
}

/// Trains the model of `config` in the run folder `out`.
///
/// Everything is checked before the first file is written. If training fails before its first checkpoint, the folder is left as
/// it was.
///
/// # Errors
/// If the folder already holds a run and `resume` is off, if `resume` is on and the run began with another configuration or on other
/// data, or if a step on the way fails; [`Error::Interrupted`](crate::Error::Interrupted) once the interrupt is requested.
pub fn train(config: Config, out: &Path, device: &Device, options: &RunOptions) -> Result<TrainOutput> {
    config.model.check_trains()?;
    config.require_tasks()?;
    ModelName::parse(&config.model.name)?.check_place()?;
    for task in &config.tasks {
        config.corpus(task)?.require_files()?;
    }
    let place = open_place(&options.ranks, RunDir::new(out), options.resume)?;
    let output = train_in(&place, config, device, options);
    place.close(output)
}

fn train_in(place: &Workplace, config: Config, device: &Device, options: &RunOptions) -> Result<TrainOutput> {
    if let Some(step) = place.checkpoint() {
        require_same(place.run(), step, &config, Verb::Train, &options.ranks)?;
    }
    let session = Session::new(config, device)?;
    let config = &session.config;
    let cache = open_cache(&session)?;
    let load = |task| load_task(&session, task, cache.as_ref());
    let tasks = config.require_tasks()?.iter().map(load).collect::<Result<Vec<_>>>()?;
    tasks.iter().try_for_each(|task| require_distinct_tags(&session, task))?;
    let start = Start { inputs: of_training(&session, &tasks)?, tags: tag_sets(&tasks), frozen: frozen(&session)? };
    carry_out(place, &session, &tasks, start, options)
}

/// What a training on labels begins with, in addition to its session and its tasks.
pub(super) struct Start {
    /// The hashes that checkpoints keep.
    pub(super) inputs: Inputs,
    /// The tags that the run folder keeps.
    pub(super) tags: TagSets,
    /// The tensors that must receive no gradient.
    pub(super) frozen: Vec<(String, Tensor)>,
}

/// Trains the variables of `session` on `tasks`, from the checkpoint of `place` if it has one.
///
/// # Errors
/// As [`train`].
pub(super) fn carry_out(
    place: &Workplace,
    session: &Session,
    tasks: &[TaskData],
    start: Start,
    options: &RunOptions,
) -> Result<TrainOutput> {
    let (run, config) = (place.run(), &session.config);
    let labelling_options = labelling_options(config, &session.device);
    let labelling = Labelling::new(&session.model, &session.tokenizer, tasks, labelling_options)?;
    let ranks = &options.ranks;
    let mut train_options = TrainOptions { inputs: start.inputs, ..train_options(config, tasks) };
    train_options.steps_per_epoch /= ranks.size().get() as f64;
    let trainer = Trainer::new(session.model.store(), labelling, train_options, run.clone())?;
    let mut trainer = trainer.with_interrupt(options.interrupt.clone()).with_ranks(ranks.clone());
    match place.checkpoint() {
        Some(_) => _ = trainer.resume()?,
        None if ranks.is_first() => trainer.check_gradients(&start.frozen)?,
        None => {}
    }
    // Everything is checked: from here on files are written.
    place.begin()?;
    write_config(run, config)?;
    run.save_tags(&start.tags)?;
    let mut telemetry = open_telemetry(place, config.train.max_steps.get(), options)?;
    let output = trainer.run(&mut telemetry);
    telemetry.finish()?;
    output
}

/// Fails now where the first validation would fail, after hours of training.
pub(super) fn require_distinct_tags(session: &Session, task: &TaskData) -> Result<()> {
    if task.validation.is_none() || session.config.eval.decoding == Decoding::Free {
        return Ok(());
    }
    let labels = task.corpus.label_task(task.tags.clone());
    tag_decoder(session.model.backbone(), &session.tokenizer, &labels).map(|_| ())
}

pub(super) fn write_config(run: &RunDir, config: &Config) -> Result<()> {
    Ok(write_listed(run.config(), config.to_toml()?.as_bytes())?)
}

pub(super) fn open_telemetry(place: &Workplace, total_steps: usize, options: &RunOptions) -> Result<Telemetry> {
    if !options.ranks.is_first() {
        return Ok(Telemetry::silent());
    }
    Telemetry::open(&TelemetryOptions {
        folder: place.run().root().to_path_buf(),
        resume_step: place.checkpoint(),
        total_steps,
        quiet: options.quiet,
        line_every: LINE_EVERY,
        tensorboard: true,
    })
}

fn tag_sets(tasks: &[TaskData]) -> TagSets {
    tasks.iter().map(|task| (task.corpus.name.clone(), task.tags.clone())).collect()
}

pub(super) fn open_cache(session: &Session) -> Result<Option<Cache>> {
    let data = &session.config.data;
    let folder = data.encoded_folder();
    if folder.is_none() && data.cache {
        warn!("cache: no folder for encoded sentences; set data.cache_dir or HYPERLOADER_CACHE");
    }
    folder.map(|folder| Cache::open(folder, &session.tokenizer)).transpose()
}

pub(super) fn load_task(session: &Session, task: &TaskConfig, cache: Option<&Cache>) -> Result<TaskData> {
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
