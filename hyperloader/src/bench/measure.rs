//! Times training steps on random ids, and then labelling.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;

use candle_core::Device;
use datasets::encode::{Batch, BatchShape};
use datasets::sample::Rng;
use peft_core::{Ctx, ParamStore, PeftModel, goes_device_way};
use peft_t5::{T5, T5Batch};
use tracing::trace_span;

use super::labelling::{self, Work};
use super::spans::timed;
use super::{BenchReport, PARTS, Spread, device_name, peak_memory};
use crate::config::Config;
use crate::label::at_once;
use crate::model::{BackboneSource, Inventory, batch_of};
use crate::optim::{AdamW, Gradients};
use crate::train::{Ranks, sum_gradients};
use crate::{Error, Result};

/// The amount of measured work.
#[derive(Debug, Clone, Copy)]
pub struct BenchOptions {
    /// Steps that are measured.
    pub steps: NonZeroUsize,
    /// Steps before the measured ones.
    pub warmup: usize,
    /// Tokens of a source.
    pub source_length: NonZeroUsize,
    /// Tokens of a target.
    pub target_length: NonZeroUsize,
}

/// Measures training steps of `config` on random ids: its backbone, methods, generator, batch size, loss, optimizer and
/// dropout, as `train` runs them (one micro-batch a step of each rank); then labelling with the same model. It needs neither data
/// nor a tokenizer. The host waits for the device before each look at the clock; on a device other than the CPU, whole steps are measured
/// after their parts, and without waits within the step.
///
/// # Errors
/// If the backbone cannot be opened, the configuration does not fit it or names no task, or a tensor operation fails.
pub fn bench(config: &Config, options: &BenchOptions, device: &Device, ranks: &Ranks) -> Result<BenchReport> {
    config.model.check_trains()?;
    let BackboneSource { config: shape, weights, .. } = BackboneSource::open(&config.model, config.seed)?;
    let parameters = Inventory::of(&shape, config.parts()?, config.model.trainable)?.total();
    let store = ParamStore::new(config.seed, device);
    let weights = weights.trainable(config.model.trainable, &store);
    let t5 = T5::new(&shape, weights.var_builder(config.model.dtype.into(), device))?;
    let model = PeftModel::new(t5, config.parts()?, &store, store.var_builder())?;
    let optimizer = AdamW::new(store.vars(), config.train.optimizer)?.with_kernels(config.train.kernels);
    let batch = random_batch(config, options, shape.vocab_size)?;
    let batch = batch_of(batch, shape.pad_token_id, device)?;
    let mut bench = Bench { config, ranks, model, optimizer, batch };
    let mut steps = |mut numbers: Range<usize>| numbers.try_for_each(|step| bench.step(step as u64));
    let (begin, end) = (options.warmup, options.warmup + options.steps.get());
    steps(0..begin)?;
    let (done, mut times, device_memory_bytes) = timed(device, &PARTS, || steps(begin..end));
    done?;
    if !device.is_cpu() {
        // The waits for the parts keep the host from working ahead of the device, so whole steps are measured by themselves.
        let (done, whole, _) = timed(device, &["step"], || steps(end..end + options.steps.get()));
        done?;
        times.extend(whole);
    }
    let peak_memory_bytes = peak_memory();
    let spread = |name: &'static str| Some((name, Spread::of(times.get(name)?.iter().copied())));
    let parts: BTreeMap<_, _> = PARTS.into_iter().filter_map(spread).collect();
    let median = parts.get("step").map_or(0., |spread| spread.median_ms);
    let exchange = parts.get("exchange").map(|spread| spread.median_ms / median);
    let threads = rayon::current_num_threads();
    let count = ranks.size().get() as f64;
    let sources = random_sources(config, options, shape.vocab_size, at_once(device))?;
    let work = Work {
        sources: &sources,
        target_length: options.target_length.get(),
        rounds: options.steps.get(),
        warmup: options.warmup,
    };
    let labelling = labelling::measure(&bench.model, &work, FIRST as u32)?;
    Ok(BenchReport {
        device: device_name(device),
        threads,
        dtype: config.model.dtype,
        parameters,
        ranks: ranks.size().get(),
        batch_size: config.train.batch_size.get(),
        source_length: options.source_length.get(),
        target_length: options.target_length.get(),
        steps: options.steps.get(),
        tokens_per_second: count * bench.batch.label_tokens as f64 / median * 1e3,
        exchange_share: exchange,
        sentences_per_second: count * config.train.batch_size.get() as f64 / median * 1e3,
        labelling,
        parts,
        peak_memory_bytes,
        device_memory_bytes,
    })
}

/// The first token that is drawn, after `<pad>`, `</s>` and `<unk>`.
const FIRST: usize = 3;

/// A function that draws a number of tokens.
fn random_ids(seed: u64, vocabulary: usize) -> Result<impl FnMut(usize) -> Vec<u32>> {
    let Some(words) = vocabulary.checked_sub(FIRST).filter(|words| *words > 0) else {
        return Err(Error::Config(format!("a vocabulary of {vocabulary} tokens has no words to draw")));
    };
    let mut rng = Rng::seeded(seed);
    Ok(move |count: usize| (0..count).map(|_| (FIRST + rng.below(words)) as u32).collect())
}

/// Batches of sources to label, of the batch size of `eval`.
fn random_sources(
    config: &Config,
    options: &BenchOptions,
    vocabulary: usize,
    count: usize,
) -> Result<Vec<Vec<Vec<u32>>>> {
    let mut ids = random_ids(config.seed, vocabulary)?;
    let (batch, length) = (config.eval.batch_size.get(), options.source_length.get());
    Ok((0..count).map(|_| (0..batch).map(|_| ids(length)).collect()).collect())
}

/// A batch without padding: the most expensive batch of its shape.
fn random_batch(config: &Config, options: &BenchOptions, vocabulary: usize) -> Result<Batch> {
    let mut ids = random_ids(config.seed, vocabulary)?;
    let shape = BatchShape {
        batch: config.train.batch_size.get(),
        source_length: options.source_length.get(),
        target_length: options.target_length.get(),
    };
    Ok(Batch {
        source: ids(shape.batch * shape.source_length),
        source_mask: vec![1; shape.batch * shape.source_length],
        target: ids(shape.batch * shape.target_length),
        shape,
    })
}

/// The parts of a training step.
struct Bench<'a> {
    config: &'a Config,
    ranks: &'a Ranks,
    model: PeftModel<T5>,
    optimizer: AdamW,
    batch: T5Batch,
}

impl Bench<'_> {
    fn step(&mut self, number: u64) -> Result<()> {
        let _span = trace_span!("step").entered();
        let train = &self.config.train;
        let mut ctx = Ctx::train(self.config.seed, number).with_kernels(train.kernels);
        let adapters = trace_span!("generate").in_scope(|| self.model.prepare(&self.batch, 0, &mut ctx))?;
        let loss = self.model.backbone().smoothed_loss_with(&self.batch, &train.loss(), &adapters, &mut ctx)?;
        let together = goes_device_way(self.model.backbone().device(), train.kernels);
        let backward = || -> Result<_> {
            let gradients = Gradients::from_store(&loss.backward()?, &self.model.vars());
            if together { gradients.gathered() } else { Ok(gradients) }
        };
        let mut gradients = trace_span!("backward").in_scope(backward)?;
        if self.ranks.are_many() {
            let exchange = || -> Result<_> {
                let mut gradients = sum_gradients(&**self.ranks, vec![gradients], &self.model.vars())?;
                gradients.average(self.ranks.size())?;
                Ok(gradients)
            };
            gradients = trace_span!("exchange").in_scope(exchange)?;
        }
        let _optimizer = trace_span!("optimizer").entered();
        gradients.clip_grad_norm(train.max_grad_norm)?;
        self.optimizer.apply_gradients(&gradients, train.learning_rate)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const TINY: &str = r#"
        [model]
        name = "config:t5-small"
        [[peft]]
        peft_type = "LORA"
        target_modules = ["q"]
        [generator]
        generator = "hypernetwork"
        [train]
        batch_size = 2
        [[tasks]]
        name = "a"
        train = "a.bio"
    "#;

    #[test]
    fn every_part_of_every_step_is_measured() {
        let config = Config::from_toml(TINY).unwrap();
        let two = NonZeroUsize::new(2).unwrap();
        let options = BenchOptions { steps: two, warmup: 1, source_length: two, target_length: two };
        let report = bench(&config, &options, &Device::Cpu, &Ranks::default()).unwrap();
        assert_eq!(report.parts.len(), PARTS.len() - 1, "one rank exchanges nothing");
        let of = |part: &str| report.parts[part];
        let sum: f64 = report.parts.keys().filter(|part| **part != "step").map(|part| of(part).min_ms).sum();
        assert!(sum > 0. && sum <= of("step").max_ms, "{sum} {report:?}");
        assert_eq!((report.steps, report.batch_size), (2, 2));
        assert_eq!((&*report.device, report.device_memory_bytes), ("cpu", None));
        assert!(report.labelling.words == 1 && report.labelling.sentences_per_second > 0.);
    }
}
