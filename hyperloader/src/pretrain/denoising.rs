//! The denoising objective: span corruption, mixed with sentinel copying on request.

use candle_core::{Device, Tensor};
use datasets::encode::{Pair, collate};
use datasets::noise::Pretraining;
use datasets::sample::Rng;
use peft_core::{Condition, Ctx};
use peft_kernels::{Reduction, SmoothedCrossEntropy};
use serde::{Deserialize, Serialize};

use crate::model::{PeftT5, TensorBatch};
use crate::train::{MicroBatch, Objective, Score};
use crate::{Error, Result};

/// The pad id of every T5 tokenizer that this crate makes or accepts.
const PAD: u32 = 0;
/// Sentences in a gradient probe.
const PROBE_SENTENCES: usize = 4;
/// Batches that are drawn together and sorted by length among themselves, so that little of a batch is padding.
const POOL_BATCHES: usize = 8;

/// T5's span corruption (Raffel et al. 2020, arXiv 1910.10683, section 3.1.4) on lines drawn uniformly with replacement.
#[derive(Debug)]
pub struct Denoising<'a> {
    model: &'a PeftT5,
    noise: Pretraining<'a>,
    lines: &'a [String],
    batch_size: usize,
    loss: SmoothedCrossEntropy,
    device: Device,
    rng: Rng,
    pool: Pool,
}

/// Batches that have been drawn and not yet trained on.
#[derive(Debug)]
struct Pool {
    /// The generator before the batches were drawn.
    drawn_from: Rng,
    batches: Vec<Vec<Pair>>,
    /// How many of them have been trained on.
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
    /// An objective over `lines`; the loss is a mean over tokens.
    ///
    /// # Errors
    /// If there is no line.
    pub fn new(
        model: &'a PeftT5,
        noise: Pretraining<'a>,
        lines: &'a [String],
        batch_size: usize,
        label_smoothing: f64,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        if lines.is_empty() {
            return Err(Error::Config("no text to pretrain on".into()));
        }
        let loss = SmoothedCrossEntropy { label_smoothing, ignore_index: PAD, reduction: Reduction::Mean };
        let rng = Rng::seeded(seed);
        let pool = Pool { drawn_from: rng.clone(), batches: Vec::new(), used: 0 };
        Ok(Self { model, noise, lines, batch_size, loss, device: device.clone(), rng, pool })
    }

    fn refill(&mut self) -> Result<()> {
        let drawn_from = self.rng.clone();
        let mut pairs = self.pairs(self.batch_size * POOL_BATCHES)?;
        pairs.sort_by_key(|pair| pair.source.len().max(pair.target.len()));
        let mut batches: Vec<Vec<Pair>> = pairs.chunks(self.batch_size).map(<[Pair]>::to_vec).collect();
        // In a random order again, so that the steps do not go from short to long.
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

    fn loss(&self, pairs: &[Pair], ctx: &mut Ctx) -> Result<MicroBatch> {
        let batch = TensorBatch::new(collate(pairs, PAD), PAD, &self.device)?;
        let loss = self.model.loss(&batch, &Condition::Task(0), &self.loss, ctx)?;
        Ok(MicroBatch { loss, tokens: batch.label_tokens })
    }
}

impl Objective for Denoising<'_> {
    fn begin_step(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    fn draw(&mut self, ctx: &mut Ctx) -> Result<MicroBatch> {
        if self.pool.used == self.pool.batches.len() {
            self.refill()?;
        }
        let pairs = self.pool.batches.get(self.pool.used).map_or(&[][..], Vec::as_slice);
        self.pool.used += 1;
        self.loss(pairs, ctx)
    }

    fn probes(&mut self, ctx: &mut Ctx) -> Result<Vec<Tensor>> {
        let rng = self.rng.clone();
        let pairs = self.pairs(PROBE_SENTENCES)?;
        // The check must not change what the run draws.
        self.rng = rng;
        Ok(vec![self.loss(&pairs, ctx)?.loss])
    }

    fn validate(&self) -> Result<Option<Score>> {
        Ok(None)
    }

    fn state(&self) -> Result<serde_json::Value> {
        let state = State { drawn_from: self.pool.drawn_from.clone(), used: self.pool.used };
        serde_json::to_value(state).map_err(|e| Error::Training(format!("the sampler's state: {e}")))
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<()> {
        let state: State = serde_json::from_value(state)
            .map_err(|e| Error::Training(format!("the checkpoint's sampler state is not one: {e}")))?;
        self.rng = state.drawn_from;
        self.refill()?;
        self.pool.used = state.used;
        Ok(())
    }
}
