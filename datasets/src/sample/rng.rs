//! A small seeded generator whose state can be saved.

use serde::{Deserialize, Serialize};

/// xoshiro256++ (Blackman and Vigna 2019), seeded by SplitMix64: the same numbers on every machine and in
/// every version, and a state of four integers that goes into a checkpoint.
///
/// ```
/// use datasets::sample::Rng;
/// let mut rng = Rng::seeded(42);
/// let mut copy = rng.clone();
/// assert_eq!(rng.below(10), copy.below(10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator of a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let mut counter = seed;
        Self { state: std::array::from_fn(|_| split_mix(&mut counter)) }
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let drawn = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        drawn
    }

    /// Uniform in [0, 1), with 53 bits.
    pub fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }

    /// Uniform in 0..bound, without bias (Lemire 2019); 0 for a bound of 0 or 1.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        // The products whose low word is under this are one too many for an equal share.
        let excess = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= excess {
                return (product >> 64) as usize;
            }
        }
    }

    /// The numbers 0..n in a random order (Fisher and Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

fn split_mix(counter: &mut u64) -> u64 {
    *counter = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *counter;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn split_mix_gives_its_published_numbers() {
        let mut counter = 1_234_567;
        let drawn: [u64; 3] = std::array::from_fn(|_| split_mix(&mut counter));
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn xoshiro_gives_its_published_numbers() {
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let drawn: [u64; 4] = std::array::from_fn(|_| rng.next_u64());
        assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn a_saved_state_goes_on_where_it_was() {
        let mut rng = Rng::seeded(7);
        rng.next_u64();
        let saved = serde_json::to_string(&rng).unwrap();
        let mut back: Rng = serde_json::from_str(&saved).unwrap();
        assert_eq!(rng.permutation(50), back.permutation(50));
        assert_eq!(rng, back);
    }

    #[test]
    fn small_bounds_are_hit_equally_often() {
        let mut rng = Rng::seeded(1);
        let mut hits = [0_u32; 6];
        for _ in 0..60_000 {
            hits[rng.below(6)] += 1;
        }
        // Five standard deviations of Binomial(60000, 1/6) are 456.
        assert!(hits.iter().all(|&count| count.abs_diff(10_000) < 456), "{hits:?}");
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
    }

    #[test]
    fn a_permutation_holds_each_number_once() {
        let mut order = Rng::seeded(3).permutation(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert!(Rng::seeded(3).permutation(0).is_empty());
    }

    #[test]
    fn units_fill_the_half_open_interval() {
        let mut rng = Rng::seeded(5);
        let drawn: Vec<f64> = (0..10_000).map(|_| rng.unit()).collect();
        assert!(drawn.iter().all(|unit| (0.0..1.0).contains(unit)));
        let mean = drawn.iter().sum::<f64>() / 10_000.0;
        // Five standard deviations of the mean of 10000 uniform numbers are 0.0144.
        assert!((mean - 0.5).abs() < 0.0144, "{mean}");
    }
}
