//! The denoising objective: span corruption, mixed with sentinel copying on request.

use std::num::NonZeroUsize;

use candle_core::{Device, Tensor};
use datasets::encode::{Pair, collate};
use datasets::noise::Pretraining;
use datasets::sample::Rng;
use peft_core::{Ctx, PeftModel};
use peft_kernels::{Reduction, SmoothedCrossEntropy};
use peft_t5::T5;
use serde::{Deserialize, Serialize};

use crate::model::batch_of;
use crate::train::{Loss, Objective, Ranks, Score, Step};
use crate::{Error, Result};

/// The pad id of every T5 tokenizer that this crate makes or accepts.
const PAD: u32 = 0;
/// Sentences in a gradient probe.
const PROBE_SENTENCES: usize = 4;
/// Batches that are drawn together and sorted by length among themselves, so that little of a batch is padding.
const POOL_BATCHES: usize = 8;

/// How batches are drawn and scored.
#[derive(Debug, Clone)]
pub struct DenoisingOptions {
    /// Sentences of one micro-batch.
    pub batch_size: usize,
    /// `ε` of the label smoothing; the loss is a mean over tokens.
    pub label_smoothing: f64,
    /// The seed of lines and noise.
    pub seed: u64,
    /// The device of the batches: the model's.
    pub device: Device,
}

/// T5's span corruption (Raffel et al. 2020, arXiv 1910.10683, section 3.1.4) on lines drawn uniformly with replacement.
#[derive(Debug)]
pub struct Denoising<'a> {
    model: &'a PeftModel<T5>,
    noise: Pretraining<'a>,
    lines: &'a [String],
    batch_size: usize,
    loss: SmoothedCrossEntropy,
    device: Device,
    rng: Rng,
    pool: Pool,
}

/// Batches that were drawn together.
#[derive(Debug)]
struct Pool {
    /// The generator before the batches were drawn.
    drawn_from: Rng,
    batches: Vec<Vec<Pair>>,
    /// How many of them were used. A used batch is left empty.
    used: usize,
}

/// What a checkpoint keeps: enough to draw the pool again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    drawn_from: Rng,
    used: usize,
}

impl<'a> Denoising<'a> {
    /// An objective over `lines`.
    ///
    /// # Errors
    /// If there is no line.
    pub fn new(
        model: &'a PeftModel<T5>,
        noise: Pretraining<'a>,
        lines: &'a [String],
        options: DenoisingOptions,
    ) -> Result<Self> {
        if lines.is_empty() {
            return Err(Error::Config("no text to pretrain on".into()));
        }
        let DenoisingOptions { batch_size, label_smoothing, seed, device } = options;
        let loss = SmoothedCrossEntropy { label_smoothing, ignore_index: PAD, reduction: Reduction::Mean };
        let rng = Rng::seeded(seed);
        let pool = Pool { drawn_from: rng.clone(), batches: Vec::new(), used: 0 };
        Ok(Self { model, noise, lines, batch_size, loss, device, rng, pool })
    }

    fn refill(&mut self) -> Result<()> {
        let drawn_from = self.rng.clone();
        let mut pairs = self.pairs(self.batch_size * POOL_BATCHES)?;
        pairs.sort_by_key(|pair| pair.source.len().max(pair.target.len()));
        let mut batches: Vec<Vec<Pair>> = pairs.chunks(self.batch_size).map(<[Pair]>::to_vec).collect();
        // Shuffle the batches, so that the steps do not go from short sentences to long ones.
        for last in (1..batches.len()).rev() {
            batches.swap(last, self.rng.below(last + 1));
        }
        self.pool = Pool { drawn_from, batches, used: 0 };
        Ok(())
    }

    fn pairs(&mut self, count: usize) -> Result<Vec<Pair>> {
        let mut pairs = Vec::with_capacity(count);
        for _ in 0..count {
            let line = self.rng.below(self.lines.len());
            let line = self.lines.get(line).map_or("", String::as_str);
            pairs.push(self.noise.pair(line, &mut self.rng)?);
        }
        Ok(pairs)
    }

    fn next_batch(&mut self) -> Result<Vec<Pair>> {
        if self.pool.used == self.pool.batches.len() {
            self.refill()?;
        }
        let pairs = self.pool.batches.get_mut(self.pool.used).map(std::mem::take).unwrap_or_default();
        self.pool.used += 1;
        Ok(pairs)
    }
}

impl Objective for Denoising<'_> {
    type MicroBatch = Vec<Pair>;

    fn next_step(&mut self, micro_batches: NonZeroUsize) -> Result<Step<Vec<Pair>>> {
        let micro_batches = (0..micro_batches.get()).map(|_| self.next_batch()).collect::<Result<_>>()?;
        Ok(Step { name: None, micro_batches })
    }

    fn loss(&self, pairs: Vec<Pair>, ctx: &mut Ctx) -> Result<Loss> {
        let batch = batch_of(collate(&pairs, PAD), PAD, &self.device)?;
        let adapters = self.model.prepare(&batch, 0, ctx)?;
        let value = self.model.backbone().smoothed_loss_with(&batch, &self.loss, &adapters, ctx)?;
        Ok(Loss { value, tokens: batch.label_tokens })
    }

    fn probes(&mut self, ctx: &mut Ctx) -> Result<Vec<Tensor>> {
        let rng = self.rng.clone();
        let pairs = self.pairs(PROBE_SENTENCES)?;
        // The check must not change what the run draws.
        self.rng = rng;
        Ok(vec![self.loss(pairs, ctx)?.value])
    }

    fn validate(&self, _ranks: &Ranks) -> Result<Option<Score>> {
        Ok(None)
    }

    fn state(&self) -> Result<serde_json::Value> {
        let state = State { drawn_from: self.pool.drawn_from.clone(), used: self.pool.used };
        serde_json::to_value(state).map_err(|e| Error::Training(format!("the sampler's state: {e}")))
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<()> {
        let state: State = peft_files::from_json_value(&state)
            .map_err(|e| Error::Training(format!("the checkpoint holds no sampler state: {e}")))?;
        self.rng = state.drawn_from;
        self.refill()?;
        self.pool.used = state.used;
        Ok(())
    }
}
