//! The denoising objective: span corruption, mixed with sentinel copying on request.

use candle_core::{Device, Tensor};
use datasets::encode::{Pair, collate};
use datasets::noise::Pretraining;
use datasets::sample::Rng;
use peft_core::ops::{Reduction, SmoothedCrossEntropy};
use peft_core::{Condition, Ctx};

use crate::model::{PeftT5, TensorBatch};
use crate::train::{Draw, Objective, Score};
use crate::{Error, Result};

/// The pad id of every T5 tokenizer that this crate makes or accepts.
const PAD: u32 = 0;
/// Sentences in a gradient probe.
const PROBE_SENTENCES: usize = 4;

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
        Ok(Self { model, noise, lines, batch_size, loss, device: device.clone(), rng: Rng::seeded(seed) })
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

    fn loss(&self, pairs: &[Pair], ctx: &mut Ctx) -> Result<Draw> {
        let batch = TensorBatch::new(collate(pairs, PAD), PAD, &self.device)?;
        let loss = self.model.loss(&batch, &Condition::Task(0), &self.loss, ctx)?;
        Ok(Draw { loss, tokens: batch.label_tokens })
    }
}

impl Objective for Denoising<'_> {
    fn begin_step(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    fn draw(&mut self, ctx: &mut Ctx) -> Result<Draw> {
        let pairs = self.pairs(self.batch_size)?;
        self.loss(&pairs, ctx)
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
        serde_json::to_value(&self.rng).map_err(|e| Error::Training(format!("the sampler's state: {e}")))
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<()> {
        self.rng = serde_json::from_value(state)
            .map_err(|e| Error::Training(format!("the checkpoint's sampler state is not one: {e}")))?;
        Ok(())
    }
}
