//! The verb `pretrain`: your own backbone.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use datasets::noise::Pretraining;
use datasets::tokenizer::T5Tokenizer;
use peft_core::{ParamStore, PeftModel};

use super::RunOptions;
use super::inputs::{of_shape, of_text, of_tokenizer};
use super::place::open_place;
use super::resume::{Verb, require_same};
use super::train::{open_telemetry, write_config};
use crate::config::{Config, PretrainConfig, T5Shape};
use crate::model::{BackboneSource, built_in_or_file, open_tokenizer};
use crate::pretrain::{Denoising, DenoisingOptions, PretrainText, train_tokenizer};
use crate::run::{MODEL_FILE, RunDir, Workplace};
use crate::train::{Inputs, Ranks, TrainOptions, Trainer, inputs_of, require_same_inputs};
use crate::{Error, Result};
use peft_files::write_listed;
use peft_t5::{T5, T5Config, Trainable, Weights, local_biases};

/// The tokenizer next to them.
const TOKENIZER_FILE: &str = "tokenizer.json";
/// Their shape.
const SHAPE_FILE: &str = "config.json";

/// The result of a finished pretraining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PretrainReport {
    /// Sentences of text.
    pub sentences: usize,
    /// Tokens of the tokenizer.
    pub vocab_size: usize,
    /// Elements of the backbone.
    pub parameters: usize,
    /// Optimizer steps.
    pub steps: usize,
}

/// Pretrains the backbone of `config` in the folder `out`. Besides the files of every run, the folder gets `config.json`,
/// `model.safetensors` and `tokenizer.json`, so that `model.name` accepts it.
///
/// Everything is checked before the first file is written. If training fails before its first checkpoint, the folder is left as
/// it was.
///
/// # Errors
/// If the folder already holds a run and `resume` is off, if `resume` is on and the run began with another configuration or on other
/// text, or if a step on the way fails; [`Error::Interrupted`] once the interrupt is requested.
pub fn pretrain(config: &Config, out: &Path, device: &Device, options: &RunOptions) -> Result<PretrainReport> {
    config.require_pretrain()?;
    let place = open_place(&options.ranks, RunDir::new(out), options.resume)?;
    let report = pretrain_in(&place, config, device, options);
    place.close(report)
}

fn pretrain_in(place: &Workplace, config: &Config, device: &Device, options: &RunOptions) -> Result<PretrainReport> {
    let (run, pretrain) = (place.run(), config.require_pretrain()?);
    let text = read_text(config, pretrain)?;
    let mut inputs = Inputs::from([("pretrain.text".to_owned(), of_text(&text))]);
    let kept = match place.checkpoint() {
        Some(step) => kept_tokenizer(run, step, config, &inputs, &options.ranks)?,
        None => None,
    };
    let start = start(config, pretrain, &text, kept)?;
    if place.checkpoint().is_some() {
        require_same_model(run.root(), &start)?;
    }
    inputs.insert("pretrain.tokenizer".to_owned(), of_tokenizer(&start.tokenizer)?);
    inputs.insert("pretrain.shape".to_owned(), of_shape(&start.config)?);

    let store = ParamStore::new(config.seed, device);
    let weights = start.weights.trainable(Trainable::All, &store).var_builder(DType::F32, device);
    let model = PeftModel::builder(T5::new(&start.config, weights)?).build()?;
    if start.random && pretrain.local_bias > 0.0 {
        set_local_biases(&store, &start.config, pretrain.local_bias, device)?;
    }
    let noise = Pretraining::new(&start.tokenizer, text.copy_words(), pretrain.into())?;
    let objective = Denoising::new(
        &model,
        noise,
        &text.lines,
        DenoisingOptions {
            batch_size: pretrain.batch_size.get(),
            label_smoothing: pretrain.label_smoothing,
            seed: config.seed,
            device: device.clone(),
        },
    )?;
    let train_options = TrainOptions {
        seed: config.seed,
        kernels: config.train.kernels,
        weights_file: MODEL_FILE,
        steps_per_epoch: text.lines.len() as f64 / (pretrain.batch_size.get() * options.ranks.size().get()) as f64,
        inputs,
        ..pretrain.into()
    };
    let trainer = Trainer::new(&store, objective, train_options, run.clone())?;
    let mut trainer = trainer.with_interrupt(options.interrupt.clone()).with_ranks(options.ranks.clone());
    match place.checkpoint() {
        Some(_) => _ = trainer.resume()?,
        None if options.ranks.is_first() => trainer.check_gradients(&[])?,
        None => {}
    }
    // Everything is checked: from here on files are written.
    place.begin()?;
    write_config(run, config)?;
    // With these files every checkpoint is a model; the folder itself becomes one at the end.
    write_listed(run.root().join(TOKENIZER_FILE), start.tokenizer.to_json()?.as_bytes())?;
    write_json(&run.root().join(SHAPE_FILE), &start.config)?;
    let mut telemetry = open_telemetry(place, pretrain.max_steps.get(), options)?;
    let output = trainer.run(&mut telemetry);
    telemetry.finish()?;
    Ok(PretrainReport {
        sentences: text.lines.len(),
        vocab_size: start.tokenizer.vocab_size(),
        parameters: store.num_parameters(),
        steps: output?.selected,
    })
}

/// The tokenizer that the run in `run` was trained with, if it trained one itself and its checkpoint shows that the text is the same.
/// Older checkpoints do not show it; the tokenizer is then trained again and compared.
///
/// # Errors
/// If the configuration or the text of the run is another.
fn kept_tokenizer(
    run: &RunDir,
    step: usize,
    config: &Config,
    inputs: &Inputs,
    ranks: &Ranks,
) -> Result<Option<T5Tokenizer>> {
    require_same(run, step, config, Verb::Pretrain, ranks)?;
    let checkpoint = run.checkpoint(step);
    let kept = inputs_of(&checkpoint)?;
    require_same_inputs(&checkpoint, &kept, inputs)?;
    let path = run.root().join(TOKENIZER_FILE);
    match kept.is_empty() || !path.exists() {
        true => Ok(None),
        false => Ok(Some(T5Tokenizer::load(path)?)),
    }
}

/// Refuses to put another tokenizer or shape next to weights that were trained with those in `folder`.
fn require_same_model(folder: &Path, start: &Start) -> Result<()> {
    let refused = |path: PathBuf, what: &str| {
        let path = path.display();
        let message = format!(
            "{path}: the weights in this folder were trained with it, and the configuration gives another {what}"
        );
        Err(Error::Config(format!("{message}; set it back, or give another --out for a new run")))
    };
    let (tokenizer, shape) = (folder.join(TOKENIZER_FILE), folder.join(SHAPE_FILE));
    if tokenizer.exists() && T5Tokenizer::load(&tokenizer)?.to_json()? != start.tokenizer.to_json()? {
        return refused(tokenizer, "tokenizer");
    }
    if shape.exists() && T5Config::read(&shape)? != start.config {
        return refused(shape, "shape");
    }
    Ok(())
}

fn read_text(config: &Config, pretrain: &PretrainConfig) -> Result<PretrainText> {
    let tasks = if pretrain.text.is_empty() { config.require_tasks()? } else { &config.tasks };
    let corpora = tasks.iter().map(|task| config.corpus(task)).collect::<Result<Vec<_>>>()?;
    PretrainText::read(&pretrain.text, &corpora, pretrain.keep_tags)
}

/// The model that pretraining starts from.
struct Start {
    config: T5Config,
    weights: Weights,
    tokenizer: T5Tokenizer,
    /// Whether the weights are random.
    random: bool,
}

fn set_local_biases(store: &ParamStore, config: &T5Config, slope: f64, device: &Device) -> Result<()> {
    let biases = local_biases(config, slope, device)?;
    for (name, var) in store.vars() {
        if let Some(bias) = biases.get(&name) {
            var.set(bias)?;
        }
    }
    Ok(())
}

/// `kept` is the tokenizer of the run that is continued, so that it is not trained again.
fn start(config: &Config, pretrain: &PretrainConfig, text: &PretrainText, kept: Option<T5Tokenizer>) -> Result<Start> {
    let source = match (&pretrain.shape, &pretrain.config) {
        (Some(_), Some(_)) => return Err(Error::Config("pretrain: give shape or config, not both".into())),
        (None, None) => return continued(config, pretrain),
        (shape, preset) => (shape.as_ref(), preset.as_deref()),
    };
    let tokenizer = match (&pretrain.tokenizer, kept) {
        (Some(path), _) => T5Tokenizer::load(path).map_err(|e| Error::from(e).asked_by("pretrain.tokenizer"))?,
        (None, Some(kept)) => kept,
        (None, None) => train_tokenizer(text, pretrain.vocab_size.get())?,
    };
    let shape = match source {
        (Some(shape), _) => config_of(shape, tokenizer.vocab_size())?,
        (None, preset) => built_in_or_file(preset.unwrap_or_default())?,
    };
    let shape = shape.with_cross_attention_bias(config.model.cross_attention_bias);
    if shape.vocab_size < tokenizer.vocab_size() {
        return Err(Error::Config(format!(
            "pretrain: the shape's vocab_size is {}, the tokenizer has {} tokens",
            shape.vocab_size,
            tokenizer.vocab_size()
        )));
    }
    Ok(Start { config: shape, weights: Weights::random(config.seed), tokenizer, random: true })
}

/// The backbone of `[model]`, which is trained further if there is no shape.
fn continued(config: &Config, pretrain: &PretrainConfig) -> Result<Start> {
    let backbone = BackboneSource::open(&config.model, config.seed)?;
    let named = pretrain.tokenizer.as_deref().or(config.model.tokenizer.as_deref());
    let tokenizer = open_tokenizer(named, backbone.folder.as_deref())?;
    Ok(Start { config: backbone.config, weights: backbone.weights, tokenizer, random: false })
}

/// The shape of the model that `pretrain` makes from random weights, if its tokenizer has as many tokens as it may have.
///
/// # Errors
/// [`Error::Config`] if there is no shape, or a wrong one.
pub(crate) fn random_shape(pretrain: &PretrainConfig) -> Result<T5Config> {
    match (&pretrain.shape, &pretrain.config) {
        (Some(shape), _) => config_of(shape, pretrain.vocab_size.get()),
        (None, Some(preset)) => built_in_or_file(preset),
        (None, None) => Err(Error::setting("pretrain", "a model from random weights needs a shape or config")),
    }
}

/// The configuration of a shape; its embedding has one row for each token, unless the shape says otherwise.
fn config_of(shape: &T5Shape, vocab_size: usize) -> Result<T5Config> {
    let config = T5Config {
        vocab_size: shape.vocab_size.map_or(vocab_size, NonZeroUsize::get),
        d_model: shape.d_model.get(),
        d_kv: shape.d_kv.get(),
        d_ff: shape.d_ff.get(),
        num_layers: shape.num_layers.get(),
        num_decoder_layers: shape.num_decoder_layers.unwrap_or(shape.num_layers).get(),
        num_heads: shape.num_heads.get(),
        feed_forward_proj: shape.feed_forward_proj,
        tie_word_embeddings: shape.tie_word_embeddings,
        dropout_rate: shape.dropout_rate,
        ..T5Config::default()
    };
    config.validate().map_err(|e| Error::Config(format!("pretrain.shape: {e}")))
}

fn write_json(path: &Path, value: &T5Config) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::malformed(path, e.to_string()))? + "\n";
    Ok(write_listed(path, text.as_bytes())?)
}
