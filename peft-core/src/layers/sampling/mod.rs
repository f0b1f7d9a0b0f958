//! The next token out of the scores of all words.

mod options;

pub use options::Sampling;

use crate::rng::Stream;
use crate::{Error, Result};

/// Chooses tokens as a [`Sampling`] says.
///
/// ```
/// use peft_core::layers::{Sampler, Sampling};
///
/// let greedy = Sampler::new(&Sampling::greedy())?;
/// assert_eq!(greedy.pick(&[0.5, 2., -1.], (0, 0))?, 1);
/// # Ok::<(), peft_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sampler(Sampling);

impl Sampler {
    /// A sampler with these options.
    ///
    /// # Errors
    /// [`Error::Mismatch`] naming the option that is out of its range.
    pub fn new(sampling: &Sampling) -> Result<Self> {
        let Sampling { temperature, top_k, top_p, .. } = *sampling;
        let reason = if !(temperature >= 0. && temperature.is_finite()) {
            format!("temperature: {temperature}, expected 0 or more")
        } else if top_k == Some(0) {
            "top_k: 0, expected at least 1".to_owned()
        } else if !(top_p > 0. && top_p <= 1.) {
            format!("top_p: {top_p}, expected a number above 0 and at most 1")
        } else {
            return Ok(Self(*sampling));
        };
        Err(Error::Mismatch(format!("sampling: {reason}")))
    }

    /// The token at step `step` of text `row`, from the scores (logits) of all words. Words with the score NaN are never picked.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if every score is NaN.
    pub fn pick(&self, scores: &[f32], (row, step): (usize, usize)) -> Result<u32> {
        let best = (0u32..).zip(scores).filter(|(_, score)| !score.is_nan());
        // Of equal scores the first.
        let best = best.reduce(|best, other| if other.1 > best.1 { other } else { best });
        let (best, highest) = best.ok_or_else(|| Error::Mismatch(format!("text {row}: every score is NaN")))?;
        if self.0.temperature == 0. {
            return Ok(best);
        }
        let candidates = self.candidates(scores, *highest);
        let total: f64 = candidates.iter().map(|(_, weight)| weight).sum();
        let mut left = Stream::new(self.0.seed, row as u64).uniform(step as u64) * total;
        for (token, weight) in &candidates {
            left -= weight;
            if left < 0. {
                return Ok(*token);
            }
        }
        // Rounding can leave a little.
        Ok(candidates.last().map_or(best, |(token, _)| *token))
    }

    /// The tokens that may be drawn with their unnormalized probabilities. If any are left out, the likeliest come first.
    fn candidates(&self, scores: &[f32], highest: f32) -> Vec<(u32, f64)> {
        let Sampling { temperature, top_k, top_p, .. } = self.0;
        let weight = |score: &f32| (f64::from(score - highest) / temperature).exp();
        let mut all: Vec<(u32, f64)> = (0..).zip(scores).map(|(token, score)| (token, weight(score))).collect();
        all.retain(|(_, weight)| *weight > 0.);
        if top_k.is_none() && top_p == 1. {
            return all;
        }
        all.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        all.truncate(top_k.unwrap_or(all.len()));
        let enough = top_p * all.iter().map(|(_, weight)| weight).sum::<f64>();
        let mut reached = 0.;
        let count = all.iter().take_while(|(_, weight)| {
            let wanted = reached < enough;
            reached += weight;
            wanted
        });
        let count = count.count();
        all.truncate(count);
        all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SCORES: [f32; 4] = [1., 3., 2., 3.];

    /// How often each token is drawn.
    fn shares(sampling: Sampling) -> Vec<f64> {
        const DRAWS: usize = 20_000;
        let picker = Sampler::new(&sampling).unwrap();
        let mut counts = vec![0.; SCORES.len()];
        (0..DRAWS).for_each(|step| counts[picker.pick(&SCORES, (0, step)).unwrap() as usize] += 1.);
        counts.iter().map(|count| count / DRAWS as f64).collect()
    }

    fn close(found: &[f64], expected: [f64; 4]) -> bool {
        // Five standard errors of a share of one half.
        found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.018)
    }

    /// `exp(score / temperature)`, normalized, of those tokens that are `kept`.
    fn softmax(temperature: f64, kept: [bool; 4]) -> [f64; 4] {
        let of = |i: usize| if kept[i] { (f64::from(SCORES[i]) / temperature).exp() } else { 0. };
        let sum: f64 = (0..4).map(of).sum();
        [0, 1, 2, 3].map(|i| of(i) / sum)
    }

    #[test]
    fn greedy_takes_the_first_of_the_likeliest() {
        assert_eq!(shares(Sampling::greedy()), [0., 1., 0., 0.]);
        let picker = Sampler::new(&Sampling::greedy()).unwrap();
        assert_eq!(picker.pick(&[f32::NAN, f32::NEG_INFINITY, -5.], (0, 0)).unwrap(), 2);
        assert!(picker.pick(&[f32::NAN], (0, 0)).unwrap_err().to_string().contains("every score is NaN"));
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_likely() {
        let plain = Sampling::new(7);
        for (sampling, expected) in [
            (plain, softmax(1., [true; 4])),
            (Sampling { temperature: 2., ..plain }, softmax(2., [true; 4])),
            (Sampling { top_k: Some(3), ..plain }, softmax(1., [false, true, true, true])),
            (Sampling { top_k: Some(1), ..plain }, [0., 1., 0., 0.]),
            // The two likeliest have 0.799 together.
            (Sampling { top_p: 0.79, ..plain }, softmax(1., [false, true, false, true])),
            (Sampling { top_p: 0.9, ..plain }, softmax(1., [false, true, true, true])),
            (Sampling { top_p: 1e-9, ..plain }, [0., 1., 0., 0.]),
        ] {
            let found = shares(sampling);
            assert!(close(&found, expected), "{sampling:?}: {found:?}, expected {expected:?}");
        }
    }

    #[test]
    fn the_seed_and_the_row_decide_what_is_drawn() {
        let drawn = |seed: u64, row: usize| -> Vec<u32> {
            let picker = Sampler::new(&Sampling::new(seed)).unwrap();
            (0..50).map(|step| picker.pick(&SCORES, (row, step)).unwrap()).collect()
        };
        assert_eq!(drawn(1, 0), drawn(1, 0));
        assert_ne!(drawn(1, 0), drawn(2, 0));
        assert_ne!(drawn(1, 0), drawn(1, 1));
    }

    #[test]
    fn options_out_of_their_range_are_named() {
        let plain = Sampling::new(0);
        for (sampling, key) in [
            (Sampling { temperature: -1., ..plain }, "temperature: -1"),
            (Sampling { temperature: f64::NAN, ..plain }, "temperature: NaN"),
            (Sampling { top_k: Some(0), ..plain }, "top_k: 0"),
            (Sampling { top_p: 0., ..plain }, "top_p: 0"),
            (Sampling { top_p: 1.5, ..plain }, "top_p: 1.5"),
        ] {
            let message = Sampler::new(&sampling).err().unwrap().to_string();
            assert!(message.starts_with(&format!("sampling: {key}")), "{message}");
        }
    }
}
