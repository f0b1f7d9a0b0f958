//! The tokens that span corruption hides.

use super::options::NoiseOptions;
use crate::sample::Rng;
use crate::tokenizer::SENTINELS;

/// The numbers of hidden tokens, of hidden spans, and of tokens that stay.
#[derive(Debug, Clone, Copy)]
struct Amounts {
    hidden: usize,
    spans: usize,
    kept: usize,
}

impl Amounts {
    /// hidden = round(n · density), at least 1 and at most n − 1. spans = round(hidden / mean length), at least 1. Each
    /// span needs a kept token before it, and one sentinel must be left to close the target.
    fn of(length: usize, options: &NoiseOptions) -> Self {
        if length < 2 {
            return Self { hidden: 0, spans: 0, kept: length };
        }
        let hidden = (length as f64 * options.noise_density).round_ties_even() as usize;
        let hidden = hidden.clamp(1, length - 1);
        let kept = length - hidden;
        let spans = (hidden as f64 / options.mean_span_length).round_ties_even() as usize;
        let spans = spans.clamp(1, hidden.min(kept).min(SENTINELS - 1));
        Self { hidden, spans, kept }
    }
}

/// A mask with `true` for the tokens to hide: T5's `random_spans_noise_mask` (Raffel et al. 2020,
/// <https://arxiv.org/abs/1910.10683>). Kept and hidden spans alternate, starting with a kept span. Their lengths are
/// random compositions of the two totals. Of fewer than two tokens none is hidden.
pub fn random_spans_mask(length: usize, options: &NoiseOptions, rng: &mut Rng) -> Vec<bool> {
    let Amounts { hidden, spans, kept } = Amounts::of(length, options);
    if spans == 0 {
        return vec![false; length];
    }
    let hidden = random_composition(hidden, spans, rng);
    let kept = random_composition(kept, spans, rng);
    let mut mask = Vec::with_capacity(length);
    for (kept, hidden) in kept.into_iter().zip(hidden) {
        mask.extend(std::iter::repeat_n(false, kept));
        mask.extend(std::iter::repeat_n(true, hidden));
    }
    mask
}

/// The largest number of tokens for which source and target, with sentinels and `</s>`, keep the maximal lengths.
pub(super) fn longest_input(options: &NoiseOptions) -> usize {
    let fits = |length: &usize| {
        let Amounts { hidden, spans, kept } = Amounts::of(*length, options);
        kept + spans < options.max_source_length && hidden + spans + 2 <= options.max_target_length
    };
    // Both lengths grow with the input, and every token is in one of them.
    let most = options.max_source_length.saturating_add(options.max_target_length);
    (0..=most).take_while(fits).last().unwrap_or_default()
}

/// `total` as the sum of `parts` numbers of at least 1, every such sum equally likely
/// (1 ≤ `parts` ≤ `total`).
fn random_composition(total: usize, parts: usize, rng: &mut Rng) -> Vec<usize> {
    let mut cuts = rng.permutation(total - 1);
    cuts.truncate(parts - 1);
    cuts.sort_unstable();
    let ends = cuts.iter().map(|cut| cut + 1).chain([total]);
    let mut start = 0;
    ends.map(|end| end - std::mem::replace(&mut start, end)).collect()
}
