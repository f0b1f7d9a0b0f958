//! Beam search over a batch of sentences.

use candle_core::{D, DType, Tensor};
use peft_core::{ActiveAdapters, Ctx};

use super::GenerationConfig;
use super::greedy::pad;
use super::hypotheses::{Candidate, Hypotheses};
use super::top::top;
use crate::{Cache, T5};
use crate::{Error, Result};

/// The best target sentence of each row of `encoded [b, s, d]` that beam search finds, by the rules of `transformers` 3.5.
///
/// A finished hypothesis scores `Σ log p / n^length_penalty`, where the sum includes `</s>` and `n`, the start token and
/// the words, does not. A sentence is done when `num_beams` hypotheses have ended and the best continuation at the present
/// length scores no better than the worst of them. Each row begins with the start token, ends with `</s>` unless
/// `max_length` came first, and is padded to the length of the longest. Finished sentences leave the batch; in `active`,
/// weights and adapters that differ by row (of `encoded`) follow their sentences, and all beams of a sentence use them.
///
/// # Errors
/// [`Error::Config`] if the vocabulary is smaller than two words a beam; otherwise as [`T5::decode_step`].
pub fn beam(
    t5: &T5,
    encoded: &Tensor,
    mask: &Tensor,
    active: &ActiveAdapters<'_>,
    config: &GenerationConfig,
) -> Result<Vec<Vec<u32>>> {
    let (beams, vocab) = (config.num_beams.get(), t5.config().vocab_size);
    if vocab < 2 * beams {
        return Err(Error::Config(format!("num_beams: {beams} beams need {} words, there are {vocab}", 2 * beams)));
    }
    let (start, eos, max_length) =
        (t5.config().decoder_start_token_id, t5.config().eos_token_id, config.max_length.get());
    let mut ctx = Ctx::eval();
    let cache = t5.start_cache(encoded, mask, active, max_length, &mut ctx)?;
    let sentences = encoded.dim(0)?;
    let searches = (0..sentences).map(|sentence| (sentence, Hypotheses::new(start))).collect();
    let rows = (0u32..).take(sentences).collect();
    let mut batch = Batch { searches, cache, sentences: active, active: active.clone(), rows };
    let mut best: Vec<Vec<u32>> = vec![Vec::new(); sentences];
    let mut keep = |(sentence, hypotheses): (usize, Hypotheses), done| {
        let mut tokens = hypotheses.best(done, config);
        if tokens.len() < max_length {
            tokens.push(eos);
        }
        if let Some(slot) = best.get_mut(sentence) {
            *slot = tokens;
        }
    };
    for _ in 1..max_length {
        if batch.searches.is_empty() {
            break;
        }
        let scores = batch.scores(t5, &mut ctx)?;
        batch.advance(&scores, eos, config)?.into_iter().for_each(|finished| keep(finished, true));
    }
    batch.searches.into_iter().for_each(|unfinished| keep(unfinished, false));
    pad(&mut best, t5.config().pad_token_id);
    Ok(best)
}

/// The sentences that are still being searched.
struct Batch<'a> {
    /// The number of each sentence, and its hypotheses: equally many for all of them.
    searches: Vec<(usize, Hypotheses)>,
    cache: Cache,
    /// What acts on the rows that the sentences were at first.
    sentences: &'a ActiveAdapters<'a>,
    /// What acts on the rows of the cache.
    active: ActiveAdapters<'a>,
    /// The number of each row's sentence.
    rows: Vec<u32>,
}

impl Batch<'_> {
    /// For each sentence the sums of log-probabilities of all its hypotheses with every next word, one after another.
    fn scores(&mut self, t5: &T5, ctx: &mut Ctx) -> Result<Vec<Vec<f32>>> {
        let live = || self.searches.iter().flat_map(|(_, hypotheses)| &hypotheses.live);
        let last: Vec<u32> = live().filter_map(|live| live.tokens.last().copied()).collect();
        let sums: Vec<f32> = live().map(|live| live.score).collect();
        let (rows, device) = (sums.len(), t5.device());
        let tokens = Tensor::from_vec(last, (rows, 1), device)?;
        let hidden = t5.decode_step(&tokens, &mut self.cache, &self.active, ctx)?;
        let logits = t5.logits(&hidden, &self.active, ctx)?.squeeze(1)?.to_dtype(DType::F32)?;
        let log_p = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
        let scores = log_p.broadcast_add(&Tensor::from_vec(sums, (rows, 1), device)?)?;
        Ok(scores.reshape((self.searches.len(), ()))?.to_vec2()?)
    }

    /// One step of every search. Those that are done leave the batch and are returned; cache and weights follow the others.
    fn advance(
        &mut self,
        scores: &[Vec<f32>],
        eos: u32,
        config: &GenerationConfig,
    ) -> Result<Vec<(usize, Hypotheses)>> {
        let (mut done, mut going) = (Vec::new(), Vec::new());
        let (mut sentences, mut rows) = (Vec::new(), Vec::new());
        let mut first_row = 0;
        for (place, (search, scores)) in (0u32..).zip(self.searches.drain(..).zip(scores)) {
            let (sentence, mut hypotheses) = search;
            let live = hypotheses.live.len();
            let candidates = candidates(scores, live, config);
            match hypotheses.advance(&candidates, eos, config) {
                Some(origins) => {
                    sentences.push(place);
                    rows.extend(origins.into_iter().map(|origin| (first_row + origin) as u32));
                    going.push((sentence, hypotheses));
                }
                None => done.push((sentence, hypotheses)),
            }
            first_row += live;
        }
        self.searches = going;
        self.follow()?;
        let device = self.cache.device().clone();
        if !done.is_empty() && !rows.is_empty() {
            self.cache.select_sentences(&Tensor::new(sentences, &device)?)?;
        }
        let unchanged = rows.len() == first_row && (0..).zip(&rows).all(|(row, origin)| row == *origin);
        if !unchanged && !rows.is_empty() {
            self.cache.select_beams(&Tensor::new(rows, &device)?)?;
        }
        Ok(done)
    }

    /// Makes what acts follow the rows. Beams are exchanged at every step, but within a sentence, where all use the same.
    fn follow(&mut self) -> Result<()> {
        let row = |(sentence, search): &(usize, Hypotheses)| std::iter::repeat_n(*sentence as u32, search.live.len());
        let rows: Vec<u32> = self.searches.iter().flat_map(row).collect();
        if rows != self.rows && !rows.is_empty() {
            self.active = self.sentences.select_rows(&rows)?;
            self.rows = rows;
        }
        Ok(())
    }
}

/// The `2 num_beams` best ways to go on.
fn candidates(scores: &[f32], live: usize, config: &GenerationConfig) -> Vec<Candidate> {
    let vocab = scores.len() / live.max(1);
    let best = top(scores.iter().copied(), 2 * config.num_beams.get()).into_iter();
    best.map(|(i, score)| Candidate { beam: i / vocab, token: (i % vocab) as u32, score }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::T5Config;
    use crate::decode::greedy;
    use crate::testing::{batch, build, tiny};
    use std::num::NonZeroUsize;

    fn config(num_beams: usize, max_length: usize) -> GenerationConfig {
        let [num_beams, max_length] = [num_beams, max_length].map(|n| NonZeroUsize::new(n).unwrap());
        GenerationConfig { num_beams, max_length, ..Default::default() }
    }

    fn encoded(t5: &T5) -> (Tensor, Tensor) {
        let (ids, mask, _) = batch();
        (t5.encode(&ids, &mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap(), mask)
    }

    /// `log p` of `tokens` after the start token, given the sentence.
    fn log_p(t5: &T5, encoded: &Tensor, mask: &Tensor, tokens: &[u32]) -> f32 {
        let ids = Tensor::new(&tokens[..tokens.len() - 1], encoded.device()).unwrap().unsqueeze(0).unwrap();
        let hidden = t5.decode(&ids, encoded, mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
        let logits = t5.logits(&hidden, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap().squeeze(0).unwrap();
        let log_p: Vec<Vec<f32>> = candle_nn::ops::log_softmax(&logits, 1).unwrap().to_vec2().unwrap();
        log_p.iter().zip(&tokens[1..]).map(|(row, token)| row[*token as usize]).sum()
    }

    #[test]
    fn after_one_step_the_best_word_wins_or_the_end_which_counts_as_shorter() {
        let t5 = build(&T5Config { vocab_size: 16, ..tiny() });
        let (ids, mask, _) = batch();
        let ids = ids.minimum(15u32).unwrap();
        let encoded = t5.encode(&ids, &mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
        let found = beam(&t5, &encoded, &mask, &ActiveAdapters::none(), &config(8, 2)).unwrap();
        for (row, tokens) in found.iter().enumerate() {
            let (encoded, mask) = (encoded.narrow(0, row, 1).unwrap(), mask.narrow(0, row, 1).unwrap());
            let score = |word: u32| {
                let len = if word == 1 { 1. } else { 2. };
                log_p(&t5, &encoded, &mask, &[0, word]) / len
            };
            let best = (0..16).max_by(|a, b| score(*a).total_cmp(&score(*b))).unwrap();
            assert_eq!(tokens[..], [0, best], "row {row}");
        }
    }

    #[test]
    fn a_batch_finds_what_each_sentence_finds_alone() {
        // Without a reward for length, sentences end early and at different times.
        let config = GenerationConfig { length_penalty: 0., ..config(3, 20) };
        let mut lengths = std::collections::BTreeSet::new();
        for eos_token_id in 1..60 {
            let t5 = build(&T5Config { eos_token_id, ..tiny() }.with_cross_attention_bias(eos_token_id % 2 == 0));
            let (encoded, mask) = encoded(&t5);
            let together = beam(&t5, &encoded, &mask, &ActiveAdapters::none(), &config).unwrap();
            for (row, tokens) in together.iter().enumerate() {
                let (encoded, mask) = (encoded.narrow(0, row, 1).unwrap(), mask.narrow(0, row, 1).unwrap());
                let alone = beam(&t5, &encoded, &mask, &ActiveAdapters::none(), &config).unwrap().remove(0);
                assert_eq!(tokens[..alone.len()], alone);
                assert!(tokens[alone.len()..].iter().all(|token| *token == 0));
                lengths.insert(alone.len());
            }
        }
        assert!(lengths.len() > 1, "sentences must leave the batch at different times: {lengths:?}");
    }

    #[test]
    fn one_beam_without_an_end_is_greedy_search() {
        let t5 = build(&T5Config { eos_token_id: 59, ..tiny() });
        let (encoded, mask) = encoded(&t5);
        let one = beam(&t5, &encoded, &mask, &ActiveAdapters::none(), &config(1, 10)).unwrap();
        let greedy = greedy(&t5, &encoded, &mask, &ActiveAdapters::none(), &config(1, 10)).unwrap();
        assert!(greedy.iter().all(|row| !row.contains(&59)));
        assert_eq!(one, greedy);
    }

    #[test]
    fn too_few_words_for_the_beams_are_refused() {
        let t5 = build(&tiny());
        let (encoded, mask) = encoded(&t5);
        let error = beam(&t5, &encoded, &mask, &ActiveAdapters::none(), &config(31, 9)).unwrap_err().to_string();
        assert_eq!(error, "num_beams: 31 beams need 62 words, there are 60");
    }
}
