//! The measurements.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{ParamCount, Precision};

/// The `tracing` spans of a training step that are reported, in their order: the methods' weights from their generator, the
/// two forward passes, output projection and cross-entropy with their gradients, the backward pass, the exchange of gradients if there
/// are several ranks, clipping and AdamW, and the whole step.
pub const PARTS: [&str; 8] = ["generate", "encoder", "decoder", "loss", "backward", "exchange", "optimizer", "step"];

/// Milliseconds of several steps.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Spread {
    /// The median.
    pub median_ms: f64,
    /// The fastest.
    pub min_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Spread {
    /// The spread of `times` in milliseconds; zeros if there are none.
    ///
    /// ```
    /// use hyperloader::bench::Spread;
    ///
    /// let spread = Spread::of([3., 1., 2., 10.]);
    /// assert_eq!((spread.median_ms, spread.min_ms, spread.max_ms), (2.5, 1., 10.));
    /// ```
    pub fn of(times: impl IntoIterator<Item = f64>) -> Self {
        let mut times: Vec<f64> = times.into_iter().collect();
        times.sort_by(f64::total_cmp);
        let at = |i: usize| times.get(i).copied().unwrap_or_default();
        let half = times.len() / 2;
        let lower = if times.len().is_multiple_of(2) { half.saturating_sub(1) } else { half };
        Self { median_ms: (at(lower) + at(half)) / 2., min_ms: at(0), max_ms: at(times.len().saturating_sub(1)) }
    }
}

/// Labelling of random sentences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LabellingReport {
    /// Words of a sentence.
    pub words: usize,
    /// Batches that are labelled in parallel.
    pub batches: usize,
    /// Sentences of a round divided by its median time: encoding and structured decoding, without tokenization.
    pub sentences_per_second: f64,
}

/// What [`bench`](super::bench) prints with `--json`; the keys are a contract.
#[derive(Debug, Clone, Serialize)]
pub struct BenchReport {
    /// `cpu`, `metal`, or the name of the GPU.
    pub device: String,
    /// The number of threads that compute.
    pub threads: usize,
    /// The type of the frozen matrices.
    pub dtype: Precision,
    /// How many parameters train, and how many there are.
    pub parameters: ParamCount,
    /// The ranks that train together.
    pub ranks: usize,
    /// Sentences of a step of one rank.
    pub batch_size: usize,
    /// Tokens of a source.
    pub source_length: usize,
    /// Tokens of a target.
    pub target_length: usize,
    /// Steps that were measured.
    pub steps: usize,
    /// Milliseconds by part of the step, with the names of [`PARTS`]. On a device other than the CPU the parts add up to more than the
    /// step: it was measured without waits for them.
    pub parts: BTreeMap<&'static str, Spread>,
    /// Target tokens of a step, of all ranks, divided by its median time.
    pub tokens_per_second: f64,
    /// Sentences of a step, of all ranks, divided by its median time.
    pub sentences_per_second: f64,
    /// The median time of the exchange divided by that of the step; `null` with one rank.
    pub exchange_share: Option<f64>,
    /// Labelling with the same model.
    pub labelling: LabellingReport,
    /// The most memory that the process held while it trained, in bytes; `null` if the system does not say.
    pub peak_memory_bytes: Option<u64>,
    /// The most memory of an NVIDIA GPU that was in use when a part of a step began or ended, by all processes, in bytes; `null` on other
    /// devices.
    pub device_memory_bytes: Option<u64>,
}
