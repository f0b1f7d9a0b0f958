//! The hypotheses of one sentence in beam search, by the rules of `transformers` 3.5.

use super::config::GenerationConfig;

/// A target sentence that is being written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Live {
    /// The start token and the words so far.
    pub(super) tokens: Vec<u32>,
    /// The sum of the log-probabilities of the words.
    pub(super) score: f32,
}

/// One way to go on: hypothesis number `beam` with the word `token`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) beam: usize,
    pub(super) token: u32,
    /// The sum of the log-probabilities, that of `token` included.
    pub(super) score: f32,
}

/// The search for one sentence.
#[derive(Debug)]
pub(super) struct Hypotheses {
    /// Those being written, best first: one at first, then `num_beams`.
    pub(super) live: Vec<Live>,
    /// Those that ended with `</s>`, without it, best first: `num_beams` at most.
    ended: Vec<(f64, Vec<u32>)>,
}

impl Hypotheses {
    pub(super) fn new(start: u32) -> Self {
        Self { live: vec![Live { tokens: vec![start], score: 0. }], ended: Vec::new() }
    }

    /// Goes on with the `2 num_beams` best `candidates`, best first. Gives the hypotheses that the new live ones
    /// continue, or `None` if the sentence is done.
    pub(super) fn advance(
        &mut self,
        candidates: &[Candidate],
        eos: u32,
        config: &GenerationConfig,
    ) -> Option<Vec<usize>> {
        let beams = config.num_beams.get();
        let len = self.live.first().map_or(0, |live| live.tokens.len());
        let (mut next, mut origins) = (Vec::with_capacity(beams), Vec::with_capacity(beams));
        for (rank, candidate) in candidates.iter().enumerate() {
            let Some(live) = self.live.get(candidate.beam) else { continue };
            if candidate.token == eos {
                // An ending counts only if it is among the best `num_beams`. Its length leaves `</s>` out.
                if rank < beams {
                    self.end(normalized(candidate.score, len, config), live.tokens.clone(), beams);
                }
                continue;
            }
            let mut tokens = live.tokens.clone();
            tokens.push(candidate.token);
            next.push(Live { tokens, score: candidate.score });
            origins.push(candidate.beam);
            if next.len() == beams {
                break;
            }
        }
        self.live = next;
        let best = candidates.first().map_or(f32::NEG_INFINITY, |candidate| candidate.score);
        (!self.is_done(best, len, config)).then_some(origins)
    }

    /// Whether no live hypothesis can come to beat those that ended, judged by the best candidate at this length.
    fn is_done(&self, best: f32, len: usize, config: &GenerationConfig) -> bool {
        let full = self.ended.len() == config.num_beams.get();
        let worst = self.ended.last().map_or(f64::NEG_INFINITY, |(score, _)| *score);
        full && (config.early_stopping || worst >= normalized(best, len, config))
    }

    fn end(&mut self, score: f64, tokens: Vec<u32>, beams: usize) {
        let at = self.ended.partition_point(|(other, _)| *other >= score);
        self.ended.insert(at, (score, tokens));
        self.ended.truncate(beams);
    }

    /// The best sentence, without `</s>`. Where the length ran out, live hypotheses count too.
    pub(super) fn best(self, done: bool, config: &GenerationConfig) -> Vec<u32> {
        let live = if done { Vec::new() } else { self.live };
        let cut = live.into_iter().map(|l| (normalized(l.score, l.tokens.len(), config), l.tokens));
        let better = |best: (f64, Vec<u32>), next: (f64, Vec<u32>)| if next.0 > best.0 { next } else { best };
        self.ended.into_iter().chain(cut).reduce(better).map(|(_, tokens)| tokens).unwrap_or_default()
    }
}

/// `score / len^length_penalty`
fn normalized(score: f32, len: usize, config: &GenerationConfig) -> f64 {
    f64::from(score) / (len as f64).powf(config.length_penalty)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::num::NonZeroUsize;

    const EOS: u32 = 1;

    fn two_beams() -> GenerationConfig {
        GenerationConfig { num_beams: NonZeroUsize::new(2).unwrap(), ..Default::default() }
    }

    fn candidates(list: &[(usize, u32, f32)]) -> Vec<Candidate> {
        list.iter().map(|&(beam, token, score)| Candidate { beam, token, score }).collect()
    }

    #[test]
    fn live_hypotheses_are_the_best_that_do_not_end() {
        let mut h = Hypotheses::new(0);
        let origins =
            h.advance(&candidates(&[(0, 7, -0.1), (0, EOS, -0.2), (0, 8, -0.3), (0, 9, -0.4)]), EOS, &two_beams());
        assert_eq!(origins, Some(vec![0, 0]));
        assert_eq!(h.live.iter().map(|l| l.tokens.clone()).collect::<Vec<_>>(), [[0, 7], [0, 8]]);
        assert_eq!(h.ended, [(f64::from(-0.2f32), vec![0])]);
    }

    #[test]
    fn an_ending_after_the_best_beams_does_not_count() {
        let mut h = Hypotheses::new(0);
        h.advance(&candidates(&[(0, 7, -0.1), (0, 8, -0.2), (0, EOS, -0.3), (0, 9, -0.4)]), EOS, &two_beams());
        assert!(h.ended.is_empty());
    }

    #[test]
    fn a_sentence_is_done_when_nothing_can_beat_its_endings() {
        let first = candidates(&[(0, EOS, -0.1), (0, 7, -3.), (0, 8, -4.), (0, 9, -5.)]);
        let second = candidates(&[(0, EOS, -3.1), (0, 7, -6.), (1, 8, -7.), (1, 9, -8.)]);
        let third = candidates(&[(0, 7, -6.9), (0, 8, -7.), (1, 8, -8.), (1, 9, -9.)]);
        let mut h = Hypotheses::new(0);
        assert!(h.advance(&first, EOS, &two_beams()).is_some());
        // Two have ended; the better one scores -0.1, the worse one -3.1 / 2, which is this step's best too.
        assert_eq!(h.advance(&second, EOS, &two_beams()), None);
        assert_eq!(h.best(true, &two_beams()), [0]);

        // Length is rewarded: at the third step -6.9 / 3 is worse than -1.55.
        let mut h = Hypotheses::new(0);
        h.advance(&first, EOS, &two_beams());
        h.advance(&candidates(&[(0, 5, -1.5), (0, EOS, -3.1), (0, 7, -6.), (1, 8, -7.)]), EOS, &two_beams()).unwrap();
        assert_eq!(h.advance(&third, EOS, &two_beams()), None);
    }

    #[test]
    fn where_the_length_runs_out_a_live_hypothesis_may_win() {
        let mut h = Hypotheses::new(0);
        h.advance(&candidates(&[(0, EOS, -2.), (0, 7, -2.5), (0, 8, -4.), (0, 9, -5.)]), EOS, &two_beams());
        assert_eq!(h.best(false, &two_beams()), [0, 7]); // -2.5 / 2 against -2 / 1
    }
}
