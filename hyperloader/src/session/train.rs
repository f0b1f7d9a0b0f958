//! The verb `train`: one run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use candle_core::{Device, Tensor};
use datasets::Example;
use datasets::encode::TruncationCount;

use super::Session;
use crate::config::{Config, LossReduction, TaskConfig};
use crate::run::{ADAPTER_FILE, RunDir, TagSets};
use crate::tasks::{Cache, Encoded, SplitName};
use crate::telemetry::{Telemetry, TelemetryOptions};
use crate::train::{Engine, Interrupt, Labelling, LabellingOptions, Outcome, Settings, TaskData};
use crate::{Error, Result};
use peft_files::write_atomic;

/// The least time between two lines of progress where stderr is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How a run is carried out, beside its configuration.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Go on from the newest checkpoint.
    pub resume: bool,
    /// Show nothing on stderr while it goes.
    pub quiet: bool,
    /// Stops the run between two steps, with its state saved.
    pub interrupt: Interrupt,
}

/// Trains the model of `config` in the run folder `out`.
///
/// # Errors
/// If the folder holds a run already and `resume` is off, or anything on the way fails; [`Error::Interrupted`] once the
/// interrupt is requested.
pub fn train(config: Config, out: &Path, device: &Device, options: &RunOptions) -> Result<Outcome> {
    config.model.check_trains()?;
    let run = RunDir::new(out);
    let resuming = prepare(&run, options.resume)?;
    let session = Session::new(config, device)?;
    let config = &session.config;
    write_config(&run, config)?;
    let mut telemetry = open_telemetry(&run, config.train.max_steps.get(), options, resuming)?;
    let cache = open_cache(&session, &mut telemetry)?;
    let tasks = config
        .require_tasks()?
        .iter()
        .map(|task| load_task(&session, task, cache.as_ref(), &mut telemetry))
        .collect::<Result<Vec<_>>>()?;
    run.save_tags(&tag_sets(&tasks))?;
    let labelling = Labelling::new(&session.model, &session.tokenizer, &tasks, labelling_options(config), device)?;
    let settings = settings(config, &tasks);
    let engine = Engine::new(&session.store, labelling, config.train.optimizer, settings, run)?;
    let mut engine = engine.with_interrupt(options.interrupt.clone());
    match resuming {
        true => _ = engine.resume()?,
        false => engine.check_gradients(&frozen(&session)?)?,
    }
    let outcome = engine.run(&mut telemetry);
    telemetry.finish()?;
    outcome
}

/// Refuses to write over a run; says whether there is a checkpoint to go on from.
pub(super) fn prepare(run: &RunDir, resume: bool) -> Result<bool> {
    let begun = run.config().exists() || !run.steps()?.is_empty();
    if begun && !resume {
        return Err(Error::Config(format!(
            "{} holds a run already; give another --out, or --resume to go on with it",
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

fn open_cache(session: &Session, telemetry: &mut Telemetry) -> Result<Option<Cache>> {
    let data = &session.config.data;
    let folder = data.encoded_folder();
    if folder.is_none() && data.cache {
        telemetry.message("cache: no folder for encoded sentences; set data.cache_dir or HYPERLOADER_CACHE");
    }
    folder.map(|folder| Cache::open(folder, &session.tokenizer)).transpose()
}

fn load_task(
    session: &Session,
    task: &TaskConfig,
    cache: Option<&Cache>,
    telemetry: &mut Telemetry,
) -> Result<TaskData> {
    let corpus = session.config.corpus(task)?;
    let tokenizer = &session.tokenizer;
    let train = match cache {
        Some(cache) => corpus
            .load_cached(SplitName::Train, tokenizer, cache, |note| telemetry.message(&format!("cache: {note}")))?,
        None => corpus.load(SplitName::Train, tokenizer)?,
    };
    report(&task.name, SplitName::Train, &train, telemetry);
    let validation = task.validation.is_some().then(|| -> Result<Vec<Example>> {
        let (mut examples, skipped) = corpus.read(SplitName::Validation)?;
        let encoded = Encoded { pairs: corpus.encode(&examples, tokenizer)?, skipped };
        report(&task.name, SplitName::Validation, &encoded, telemetry);
        let limit = session.config.train.eval_sentences;
        if limit > 0 {
            examples.truncate(limit);
        }
        Ok(examples)
    });
    let tags = corpus.tags()?;
    Ok(TaskData { corpus, tags, train: Arc::new(train.pairs), validation: validation.transpose()? })
}

/// Says what was lost of a split.
fn report(task: &str, split: SplitName, encoded: &Encoded, telemetry: &mut Telemetry) {
    let truncated = TruncationCount::of(encoded.pairs.iter());
    if truncated.any() {
        telemetry.message(&format!("{task} {split}: {truncated}"));
    }
    if encoded.skipped > 0 {
        telemetry.message(&format!("{task} {split}: {} bad lines left out", encoded.skipped));
    }
}

/// The backbone's tensors that do not train.
fn frozen(session: &Session) -> Result<Vec<(String, Tensor)>> {
    let trainable = session.config.model.trainable;
    Ok(session.model.t5().parameters()?.into_iter().filter(|(name, _)| !trainable.covers(name)).collect())
}

fn labelling_options(config: &Config) -> LabellingOptions {
    LabellingOptions {
        temperature: config.data.temperature,
        seed: config.seed,
        batch_size: config.train.batch_size.get(),
        micro_batches: config.train.gradient_accumulation_steps,
        length_buckets: config.data.length_buckets.unwrap_or(config.train.loss_reduction == LossReduction::Sum),
        loss: config.train.loss(),
        decode: (&config.eval).into(),
        mode: config.eval.mode,
    }
}

fn settings(config: &Config, tasks: &[TaskData]) -> Settings {
    let train = &config.train;
    let sentences: usize = tasks.iter().map(|t| t.train.len()).sum();
    let per_step = train.batch_size.get() * train.gradient_accumulation_steps.get();
    Settings {
        seed: config.seed,
        max_steps: train.max_steps.get(),
        gradient_accumulation_steps: train.gradient_accumulation_steps,
        schedule: train.schedule(),
        max_grad_norm: train.max_grad_norm,
        save_steps: train.save_steps,
        eval_steps: train.eval_steps,
        save_total_limit: train.save_total_limit.get(),
        select_best: train.select_best,
        kernels: train.kernels,
        weights_file: ADAPTER_FILE,
        logging_steps: train.logging_steps,
        loss_is_mean: train.loss_reduction == LossReduction::Mean,
        steps_per_epoch: sentences as f64 / per_step as f64,
    }
}
