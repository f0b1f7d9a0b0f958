//! Beam search over a batch of sentences.

use candle_core::{D, DType};
use peft_kernels::transfer;

use super::batch::Batch;
use super::config::GenerationConfig;
use super::greedy::pad;
use super::hypotheses::{Candidate, Hypotheses};
use super::source::Source;
use super::top::{best_words, top};
use crate::error::{Error, Result};

/// The best target sentence that beam search finds for each sentence of `source`, by the rules of `transformers` 3.5.
///
/// A finished hypothesis scores `Σ log p / n^length_penalty`, where the sum includes `</s>` and `n`, the start token and
/// the words, does not. A sentence is done when `num_beams` hypotheses have ended and the best continuation at the present
/// length scores no better than the worst of them. Each begins with the start token, ends with `</s>` unless `max_length`
/// came first, and is padded to the length of the longest. Finished sentences leave the batch; adapters and weights that
/// differ by row follow their sentences, and all beams of a sentence use them.
///
/// On a GPU the best words of each hypothesis are found there, and only these are read back.
///
/// # Errors
/// [`Error::Config`] if the vocabulary is smaller than two words a beam; otherwise as
/// [`T5::decode_packed`](crate::T5::decode_packed).
pub fn beam(source: &Source<'_>, config: &GenerationConfig) -> Result<Vec<Vec<u32>>> {
    let t5 = source.t5.config();
    let (beams, vocab) = (config.num_beams.get(), t5.vocab_size);
    if vocab < 2 * beams {
        return Err(Error::Config(format!("num_beams: {beams} beams need {} words, there are {vocab}", 2 * beams)));
    }
    let (eos, max_length) = (t5.eos_token_id, config.max_length.get());
    let mut search = Search::new(source)?;
    let mut best: Vec<Vec<u32>> = vec![Vec::new(); source.encoded.sentences()];
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
        if search.sentences.is_empty() {
            break;
        }
        search.advance(eos, config)?.into_iter().for_each(|finished| keep(finished, true));
    }
    search.sentences.into_iter().for_each(|unfinished| keep(unfinished, false));
    pad(&mut best, t5.pad_token_id);
    Ok(best)
}

/// The sentences that are still being searched.
struct Search<'a> {
    /// The number of each sentence, and its hypotheses: equally many for all of them.
    sentences: Vec<(usize, Hypotheses)>,
    /// A row for each hypothesis.
    batch: Batch<'a>,
    on_device: bool,
}

impl<'a> Search<'a> {
    fn new(source: &Source<'a>) -> Result<Self> {
        let start = source.t5.config().decoder_start_token_id;
        let sentences = (0..source.encoded.sentences()).map(|sentence| (sentence, Hypotheses::new(start))).collect();
        Ok(Self { sentences, batch: Batch::new(source)?, on_device: source.goes_device_way() })
    }

    /// For each sentence the `2 num_beams` best ways to go on, best first.
    fn candidates(&mut self, config: &GenerationConfig) -> Result<Vec<Vec<Candidate>>> {
        let live = || self.sentences.iter().flat_map(|(_, hypotheses)| &hypotheses.live);
        let last: Vec<u32> = live().filter_map(|live| live.tokens.last().copied()).collect();
        let sums: Vec<f32> = live().map(|live| live.score).collect();
        let logits = self.batch.logits(&last)?.to_dtype(DType::F32)?;
        let log_p = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
        let count = 2 * config.num_beams.get();
        if self.on_device {
            let best = best_words(&log_p, count)?;
            let mut rows = best.iter().zip(sums);
            let of_sentence = |(_, hypotheses): &(usize, Hypotheses)| {
                let own: Vec<_> = rows.by_ref().take(hypotheses.live.len()).collect();
                best_of_rows(&own, count)
            };
            return Ok(self.sentences.iter().map(of_sentence).collect());
        }
        let sums = transfer::upload(sums, (last.len(), 1), log_p.device())?;
        let sums = log_p.broadcast_add(&sums)?.reshape((self.sentences.len(), ()))?;
        let scores: Vec<Vec<f32>> = transfer::download_rows(&sums)?;
        let of_sentence = |((_, hypotheses), scores): (&(usize, Hypotheses), Vec<f32>)| {
            best_of_all(&scores, hypotheses.live.len(), count)
        };
        Ok(self.sentences.iter().zip(scores).map(of_sentence).collect())
    }

    /// One step of every search. Those that are done leave the batch and are returned.
    fn advance(&mut self, eos: u32, config: &GenerationConfig) -> Result<Vec<(usize, Hypotheses)>> {
        let candidates = self.candidates(config)?;
        let (mut done, mut going) = (Vec::new(), Vec::new());
        let (mut kept, mut origins) = (Vec::new(), Vec::new());
        let mut first_row = 0;
        for (number, (search, candidates)) in (0u32..).zip(self.sentences.drain(..).zip(candidates)) {
            let (sentence, mut hypotheses) = search;
            let live = hypotheses.live.len();
            match hypotheses.advance(&candidates, eos, config) {
                Some(beams) => {
                    kept.push(number);
                    origins.extend(beams.into_iter().map(|beam| (first_row + beam) as u32));
                    going.push((sentence, hypotheses));
                }
                None => done.push((sentence, hypotheses)),
            }
            first_row += live;
        }
        self.sentences = going;
        self.batch.retain(&kept, &origins)?;
        Ok(done)
    }
}

/// The `count` best ways to go on, given the scores of all words after each hypothesis.
fn best_of_all(scores: &[f32], live: usize, count: usize) -> Vec<Candidate> {
    let vocab = scores.len() / live.max(1);
    let best = top(scores.iter().copied(), count).into_iter();
    best.map(|(i, score)| Candidate { beam: i / vocab, token: (i % vocab) as u32, score }).collect()
}

/// The `count` best ways to go on, given so many words after each hypothesis, best first, and the hypothesis's own score: what is not among
/// these is not among the best of all.
fn best_of_rows(rows: &[(&Vec<(u32, f32)>, f32)], count: usize) -> Vec<Candidate> {
    let mut all = Vec::with_capacity(rows.len() * count);
    for (beam, (words, sum)) in rows.iter().enumerate() {
        let candidate = |(token, log_p): &(u32, f32)| Candidate { beam, token: *token, score: log_p + sum };
        all.extend(words.iter().map(candidate));
    }
    // Of equal ones the first hypothesis, and the smallest word, as over all words.
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.beam.cmp(&b.beam)).then(a.token.cmp(&b.token)));
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::num::NonZeroUsize;

    use candle_core::Tensor;
    use peft_core::{ActiveAdapters, Ctx};
    use peft_kernels::Kernels;

    use super::*;
    use crate::decode::greedy;
    use crate::testing::{batch, build, tiny};
    use crate::{Encoded, T5, T5Config};

    fn config(num_beams: usize, max_length: usize) -> GenerationConfig {
        let [num_beams, max_length] = [num_beams, max_length].map(|n| NonZeroUsize::new(n).unwrap());
        GenerationConfig { num_beams, max_length, ..Default::default() }
    }

    fn encoded(t5: &T5) -> Encoded {
        let (ids, mask, _) = batch();
        t5.encode(&ids, &mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap()
    }

    /// One sentence of a padded batch.
    fn one(encoded: &Encoded, row: usize) -> Encoded {
        let (_, mask, _) = batch();
        let of = |t: &Tensor| t.narrow(0, row, 1).unwrap();
        Encoded::padded(of(encoded.hidden()), of(&mask)).unwrap()
    }

    fn write(t5: &T5, encoded: &Encoded, config: &GenerationConfig) -> Vec<Vec<u32>> {
        beam(&Source::new(t5, encoded, &ActiveAdapters::none()), config).unwrap()
    }

    /// `log p` of `tokens` after the start token, given the sentence.
    fn log_p(t5: &T5, encoded: &Encoded, tokens: &[u32]) -> f32 {
        let ids = Tensor::new(&tokens[..tokens.len() - 1], t5.device()).unwrap().unsqueeze(0).unwrap();
        let hidden = t5.decode(&ids, encoded, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
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
        for (row, tokens) in write(&t5, &encoded, &config(8, 2)).iter().enumerate() {
            let score = |word: u32| {
                let len = if word == 1 { 1. } else { 2. };
                log_p(&t5, &one(&encoded, row), &[0, word]) / len
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
        let sentences = crate::testing::sentences();
        let slices: Vec<&[u32]> = sentences.iter().map(Vec::as_slice).collect();
        for eos_token_id in 1..60 {
            let t5 = build(&T5Config { eos_token_id, ..tiny() }.with_cross_attention_bias(eos_token_id % 2 == 0));
            let encoded = encoded(&t5);
            let together = write(&t5, &encoded, &config);
            for (row, tokens) in together.iter().enumerate() {
                let alone = write(&t5, &one(&encoded, row), &config).remove(0);
                assert_eq!(tokens[..alone.len()], alone);
                assert!(tokens[alone.len()..].iter().all(|token| *token == 0));
                lengths.insert(alone.len());
            }
            let packed = t5.encode_packed(&slices, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
            assert_eq!(write(&t5, &packed, &config), together);
            let none = ActiveAdapters::none();
            let on_device = Source::new(&t5, &encoded, &none).with_kernels(Kernels::Device);
            assert_eq!(beam(&on_device, &config).unwrap(), together);
        }
        assert!(lengths.len() > 1, "sentences must leave the batch at different times: {lengths:?}");
    }

    #[test]
    fn one_beam_without_an_end_is_greedy_search() {
        let t5 = build(&T5Config { eos_token_id: 59, ..tiny() });
        let encoded = encoded(&t5);
        let none = ActiveAdapters::none();
        let source = Source::new(&t5, &encoded, &none);
        let one = beam(&source, &config(1, 10)).unwrap();
        let greedy = greedy(&source, &config(1, 10)).unwrap();
        assert!(greedy.iter().all(|row| !row.contains(&59)));
        assert_eq!(one, greedy);
    }

    #[test]
    fn too_few_words_for_the_beams_are_refused() {
        let t5 = build(&tiny());
        let encoded = encoded(&t5);
        let none = ActiveAdapters::none();
        let source = Source::new(&t5, &encoded, &none);
        let error = beam(&source, &config(31, 9)).unwrap_err().to_string();
        assert_eq!(error, "num_beams: 31 beams need 62 words, there are 60");
    }
}
