//! The verb `pretrain`: your own backbone.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;

use candle_core::{DType, Device};
use datasets::noise::Pretraining;
use datasets::tokenizer::T5Tokenizer;
use peft_core::{ParamStore, PeftModel};

use super::RunOptions;
use super::train::{open_telemetry, prepare, write_config};
use crate::config::{Config, PretrainConfig, T5Shape};
use crate::model::{BackboneSource, built_in_or_file, open_tokenizer};
use crate::pretrain::{Denoising, DenoisingOptions, PretrainText, train_tokenizer};
use crate::run::RunDir;
use crate::train::{TrainOptions, Trainer};
use crate::{Error, Result};
use peft_files::write_atomic;
use peft_t5::{T5, T5Config, Trainable, Weights, local_biases};

/// The weights of a whole backbone, under Hugging Face's file name.
const MODEL_FILE: &str = "model.safetensors";

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
/// # Errors
/// If the folder already holds a run and `resume` is off, or a step on the way fails; [`Error::Interrupted`] once the
/// interrupt is requested.
pub fn pretrain(config: &Config, out: &Path, device: &Device, options: &RunOptions) -> Result<PretrainReport> {
    let pretrain = config.require_pretrain()?;
    let run = RunDir::new(out);
    let resuming = prepare(&run, options.resume)?;
    let text = read_text(config, pretrain)?;
    let start = start(config, pretrain, &text)?;
    // With these files every checkpoint is a model; the folder itself becomes one at the end.
    write_config(&run, config)?;
    start.tokenizer.save(out.join("tokenizer.json"))?;
    write_json(&out.join("config.json"), &start.config)?;

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
        steps_per_epoch: text.lines.len() as f64 / pretrain.batch_size.get() as f64,
        ..pretrain.into()
    };
    let trainer = Trainer::new(&store, objective, train_options, run.clone())?;
    let mut trainer = trainer.with_interrupt(options.interrupt.clone());
    match resuming {
        true => _ = trainer.resume()?,
        false => trainer.check_gradients(&[])?,
    }
    let mut telemetry = open_telemetry(&run, pretrain.max_steps.get(), options, resuming)?;
    let output = trainer.run(&mut telemetry);
    telemetry.finish()?;
    Ok(PretrainReport {
        sentences: text.lines.len(),
        vocab_size: start.tokenizer.vocab_size(),
        parameters: store.num_parameters(),
        steps: output?.selected,
    })
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

fn start(config: &Config, pretrain: &PretrainConfig, text: &PretrainText) -> Result<Start> {
    let source = match (&pretrain.shape, &pretrain.config) {
        (Some(_), Some(_)) => return Err(Error::Config("pretrain: give shape or config, not both".into())),
        (None, None) => return continued(config, pretrain),
        (shape, preset) => (shape.as_ref(), preset.as_deref()),
    };
    let tokenizer = match &pretrain.tokenizer {
        Some(path) => T5Tokenizer::load(path).map_err(|e| Error::from(e).asked_by("pretrain.tokenizer"))?,
        None => train_tokenizer(text, pretrain.vocab_size.get())?,
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
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::malformed(path, e.to_string()))?;
    Ok(write_atomic(path, |file| writeln!(file, "{text}"))?)
}
