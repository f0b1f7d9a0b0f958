//! Times the labelling of random sentences.

use std::time::Instant;

use peft_core::PeftModel;
use peft_t5::T5;

use super::{LabellingReport, Spread};
use crate::label::{TaskT5, each_batch};
use crate::{Error, Result};
use peft_t5::decode::TagDecoder;

/// Tags of the measured task. Each has its own token, which is chosen, and a token that all share, which then is certain: three
/// tokens a word with the sentinel.
const TAGS: u32 = 16;
const TOKENS_OF_A_WORD: usize = 3;

/// The sentences to label.
pub(super) struct Work<'a> {
    /// Batches of sources of one length, labelled in parallel.
    pub(super) sources: &'a [Vec<Vec<u32>>],
    /// Tokens of a target.
    pub(super) target_length: usize,
    /// How often all batches are labelled.
    pub(super) rounds: usize,
    /// How often they are labelled before that.
    pub(super) warmup: usize,
}

/// Measures structured decoding for the first task of `model`, as `predict` does it: its weights are generated and merged
/// before. Tokenization is not measured.
pub(super) fn measure(model: &PeftModel<T5>, work: &Work<'_>, first_word: u32) -> Result<LabellingReport> {
    let t5 = TaskT5::new(model, 0, false)?;
    let vocabulary = t5.t5().config().vocab_size as u32;
    let words = (work.target_length.saturating_sub(1) / TOKENS_OF_A_WORD).max(1);
    if vocabulary <= first_word + TAGS + words as u32 + 1 {
        return Err(Error::Config(format!(
            "a vocabulary of {vocabulary} tokens is too small for {TAGS} tags and the sentinels of {words} words"
        )));
    }
    let tag = |i: u32| (i.to_string(), vec![first_word + i, first_word + TAGS]);
    let tags: Vec<(String, Vec<u32>)> = (0..TAGS).map(tag).collect();
    let sentinels: Vec<u32> = (0..=words as u32).map(|i| vocabulary - 1 - i).collect();
    let decoder = TagDecoder::new(t5.t5(), &tags, &sentinels)?;
    let label = |source: &Vec<Vec<u32>>| -> Result<usize> {
        let sentences: Vec<&[u32]> = source.iter().map(Vec::as_slice).collect();
        Ok(decoder.decode(&t5.encode(&sentences)?.source(), &vec![words; sentences.len()], 1)?.len())
    };
    let mut times = Vec::new();
    let mut sentences = 0;
    for round in 0..work.warmup + work.rounds {
        let began = Instant::now();
        sentences = each_batch(work.sources, t5.t5().device(), label)?.into_iter().sum();
        if round >= work.warmup {
            times.push(1e3 * began.elapsed().as_secs_f64());
        }
    }
    let sentences_per_second = 1e3 * sentences as f64 / Spread::of(times).median_ms;
    Ok(LabellingReport { words, batches: work.sources.len(), sentences_per_second })
}
