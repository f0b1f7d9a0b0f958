//! What a cell will cost, before it runs.

use serde::Serialize;

use super::cell::Cell;
use super::plan::SuitePlan;
use super::scoring::sentences;
use crate::config::{Config, ModelConfig};
use crate::model::{Inventory, shape_of};
use crate::session::random_shape;
use crate::{Error, Result};
use peft_t5::T5Config;

/// Bytes of an f32.
const BYTES: f64 = 4.;
/// The hidden states, of `d_model` numbers a token, that a layer keeps for the backward pass: roughly, from the peak memory of
/// training steps at t5-small's and t5-base's shape in `docs/performance.md`.
const STATES_PER_LAYER: f64 = 16.;

/// A cell as `--dry-run` shows it.
#[derive(Debug, Serialize)]
pub struct Estimate {
    /// Its name: system, task or all, share of the data, seed.
    pub cell: String,
    /// Parameters that are trained.
    pub trainable: usize,
    /// All parameters of the model.
    pub total: usize,
    /// Optimizer steps.
    pub steps: usize,
    /// Sentences that it trains on, repetitions counted.
    pub sentences: usize,
    /// An estimate of the memory in bytes: weights, gradients, optimizer, and the hidden states of one micro-batch.
    pub memory: f64,
    /// An estimate of the time of training in seconds, by the scale's rate.
    pub seconds: f64,
    /// Its whole configuration.
    pub config: Config,
}

/// What `cell` will cost.
///
/// # Errors
/// If its configuration is wrong, or the shape of its backbone is not known.
pub fn estimate(plan: &SuitePlan, cell: &Cell) -> Result<Estimate> {
    let config = plan.config(cell)?;
    let shape = backbone_shape(plan, &config)?;
    let count = Inventory::of(&shape, config.parts()?, config.model.trainable)?.total();
    let tokens =
        config.train.batch_size.get() * (config.data.max_source_length.get() + config.data.max_target_length.get());
    // Sentences are about half as long as the longest allowed.
    let states = 0.5
        * tokens as f64
        * shape.d_model as f64
        * STATES_PER_LAYER
        * (shape.num_layers + shape.num_decoder_layers) as f64
        / 2.;
    let logits = 0.5 * (config.train.batch_size.get() * config.data.max_target_length.get() * shape.vocab_size) as f64;
    let weights = count.total as f64 + 3. * count.trainable as f64;
    let sentences = sentences(&config);
    Ok(Estimate {
        cell: cell.name(),
        trainable: count.trainable,
        total: count.total,
        steps: config.train.max_steps.get(),
        sentences,
        memory: BYTES * (weights + states + 2. * logits),
        seconds: sentences as f64 * plan.settings.seconds_per_sentence,
        config,
    })
}

/// The shape of the backbone: that of a folder, the scale's, or that which the suite will pretrain.
fn backbone_shape(plan: &SuitePlan, config: &Config) -> Result<T5Config> {
    let is_there = std::path::Path::new(&config.model.name).join("config.json").is_file();
    if is_there {
        return shape_of(&config.model);
    }
    if let Some(shape) = plan.settings.shape.as_ref().filter(|_| plan.options.backbone.is_none()) {
        return shape_of(&ModelConfig { name: format!("config:{shape}"), ..config.model.clone() });
    }
    match plan.pretraining()?.and_then(|config| config.pretrain) {
        Some(pretrain) => random_shape(&pretrain),
        None => Err(Error::Config(format!(
            "--dry-run: the shape of the backbone {} is not known; give a folder with its config.json",
            config.model.name
        ))),
    }
}
