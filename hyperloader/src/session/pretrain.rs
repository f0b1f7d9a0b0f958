//! The verb `pretrain`: a backbone of one's own.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;

use candle_core::{DType, Device};
use datasets::noise::{NoiseOptions, Pretraining};
use datasets::tokenizer::T5Tokenizer;
use peft_core::{ParamStore, StaticConfig, Tasks};

use super::RunOptions;
use super::train::{open_telemetry, prepare, write_config};
use crate::config::{Config, PretrainConfig, T5Shape};
use crate::model::{Backbone, Parts, PeftT5, built_in_or_file, open_tokenizer};
use crate::pretrain::{Denoising, PretrainText, train_tokenizer};
use crate::run::RunDir;
use crate::train::{Engine, Settings};
use crate::{Error, Result};
use peft_files::write_atomic;
use peft_t5::{T5Config, Trainable, Weights, local_biases};

/// The weights of a whole backbone, under Hugging Face's file name.
const MODEL_FILE: &str = "model.safetensors";

/// What a finished pretraining amounts to.
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

/// Pretrains the backbone of `config` in the folder `out`: `config.json`, `model.safetensors` and `tokenizer.json`, as
/// `model.name` accepts them, beside what every run leaves.
///
/// # Errors
/// If the folder holds a run already and `resume` is off, or anything on the way fails; [`Error::Interrupted`] once the
/// interrupt is requested.
pub fn pretrain(config: &Config, out: &Path, device: &Device, options: &RunOptions) -> Result<PretrainReport> {
    let pretrain = config.require_pretrain()?;
    let run = RunDir::new(out);
    let resuming = prepare(&run, options.resume)?;
    let text = PretrainText::read(config, pretrain)?;
    let start = begin(config, pretrain, &text)?;
    // With them every checkpoint is a model; the folder itself becomes one at the end.
    write_config(&run, config)?;
    start.tokenizer.save(out.join("tokenizer.json"))?;
    write_json(&out.join("config.json"), &start.config)?;

    let store = ParamStore::new(config.seed, device);
    let parts = Parts {
        config: &start.config,
        methods: &[],
        generator: &StaticConfig::default(),
        tasks: &Tasks::new(["pretrain"]),
    };
    let weights = start.weights.trainable(Trainable::All, &store).var_builder(DType::F32, device);
    let model = PeftT5::new(parts, weights, store.var_builder())?;
    if start.random && pretrain.local_bias > 0.0 {
        set_local_biases(&store, &start.config, pretrain.local_bias, device)?;
    }
    let noise = Pretraining::new(&start.tokenizer, text.copy_words(), noise_options(pretrain))?;
    let batch_size = pretrain.batch_size.get();
    let objective =
        Denoising::new(&model, noise, &text.lines, batch_size, pretrain.label_smoothing, config.seed, device)?;
    let mut telemetry = open_telemetry(&run, pretrain.max_steps.get(), options, resuming)?;
    let settings = settings(config, pretrain, text.lines.len());
    let engine = Engine::new(&store, objective, pretrain.optimizer, settings, run)?;
    let mut engine = engine.with_interrupt(options.interrupt.clone());
    match resuming {
        true => _ = engine.resume()?,
        false => engine.check_gradients(&[])?,
    }
    let outcome = engine.run(&mut telemetry);
    telemetry.finish()?;
    Ok(PretrainReport {
        sentences: text.lines.len(),
        vocab_size: start.tokenizer.vocab_size(),
        parameters: store.num_parameters(),
        steps: outcome?.selected,
    })
}

/// What pretraining begins from.
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

fn begin(config: &Config, pretrain: &PretrainConfig, text: &PretrainText) -> Result<Start> {
    let source = match (&pretrain.shape, &pretrain.config) {
        (Some(_), Some(_)) => return Err(Error::Config("pretrain: give shape or config, not both".into())),
        (None, None) => return go_on(config, pretrain),
        (shape, preset) => (shape.as_ref(), preset.as_deref()),
    };
    let tokenizer = match &pretrain.tokenizer {
        Some(path) => T5Tokenizer::load(path)?,
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

/// Without a shape, the backbone of `[model]` is trained further.
fn go_on(config: &Config, pretrain: &PretrainConfig) -> Result<Start> {
    let backbone = Backbone::open(&config.model, config.seed)?;
    let named = pretrain.tokenizer.as_deref().or(config.model.tokenizer.as_deref());
    let tokenizer = open_tokenizer(named, backbone.folder.as_deref())?;
    Ok(Start { config: backbone.config, weights: backbone.weights, tokenizer, random: false })
}

/// The configuration of a shape; its embedding has a row for every token unless it says otherwise.
fn config_of(shape: &T5Shape, vocab_size: usize) -> Result<T5Config> {
    let vocab_size = shape.vocab_size.map_or(vocab_size, NonZeroUsize::get);
    let layers = shape.num_decoder_layers.unwrap_or(shape.num_layers);
    // Through the keys that both share with Hugging Face's config.json, so that its checks hold here too.
    let keys = serde_json::to_value(shape).and_then(|mut keys| {
        keys["vocab_size"] = vocab_size.into();
        keys["num_decoder_layers"] = layers.get().into();
        serde_json::from_value(keys)
    });
    keys.map_err(|e| Error::Config(format!("pretrain.shape: {e}")))
}

fn noise_options(pretrain: &PretrainConfig) -> NoiseOptions {
    NoiseOptions {
        noise_density: pretrain.noise_density,
        mean_span_length: pretrain.mean_span_length,
        copy_fraction: pretrain.copy_fraction,
        word_noise: pretrain.word_noise,
        copy_stretch: pretrain.copy_stretch,
        max_source_length: pretrain.max_length.get(),
        max_target_length: pretrain.max_length.get(),
    }
}

fn settings(config: &Config, pretrain: &PretrainConfig, sentences: usize) -> Settings {
    Settings {
        seed: config.seed,
        max_steps: pretrain.max_steps.get(),
        gradient_accumulation_steps: std::num::NonZeroUsize::MIN,
        schedule: pretrain.schedule(),
        max_grad_norm: pretrain.max_grad_norm,
        save_steps: pretrain.save_steps,
        eval_steps: 0,
        save_total_limit: 1,
        select_best: false,
        kernels: config.train.kernels,
        weights_file: MODEL_FILE,
        logging_steps: pretrain.logging_steps,
        loss_is_mean: true,
        steps_per_epoch: sentences as f64 / pretrain.batch_size.get() as f64,
    }
}

fn write_json(path: &Path, value: &T5Config) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::malformed(path, e.to_string()))?;
    Ok(write_atomic(path, |file| writeln!(file, "{text}"))?)
}
