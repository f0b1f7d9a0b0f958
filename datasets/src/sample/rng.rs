//! A small seeded generator whose state can be saved.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng};
use serde::{Deserialize, Serialize};

/// xoshiro256++ (Blackman and Vigna 2019), seeded by SplitMix64. It gives the same numbers on every machine and in
/// every version. Its state is four integers, which go into a checkpoint as `{"state": [a, b, c, d]}`.
///
/// ```
/// use datasets::sample::Rng;
/// let mut rng = Rng::seeded(42);
/// let mut copy = rng.clone();
/// assert_eq!(rng.below(10), copy.below(10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    #[serde(with = "saved")]
    state: Xoshiro256PlusPlus,
}

impl Rng {
    /// The generator of a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { state: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state.next_u64()
    }

    /// Uniform in [0, 1), with 53 bits.
    pub fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }

    /// Uniform in 0..bound, without bias (Lemire 2019); 0 for a bound of 0 or 1.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        // Products with a low word below `excess` would make some results more likely: draw again.
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

/// The state as a list of four integers. `rand_xoshiro` would write `{"s": […]}`, but the list is the format that
/// checkpoints have.
mod saved {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

    /// What `rand_xoshiro` writes. The crate gives no other access to the state.
    #[derive(Deserialize)]
    struct Written {
        s: [u64; 4],
    }

    pub(super) fn serialize<S: Serializer>(rng: &Xoshiro256PlusPlus, to: S) -> Result<S::Ok, S::Error> {
        let written = serde_json::to_value(rng).and_then(Written::deserialize).map_err(S::Error::custom)?;
        written.s.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Xoshiro256PlusPlus, D::Error> {
        let mut seed = [0; 32];
        for (bytes, word) in seed.chunks_exact_mut(8).zip(<[u64; 4]>::deserialize(from)?) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Ok(Xoshiro256PlusPlus::from_seed(seed))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The numbers that the crate drew before it took its generator from `rand_xoshiro`.
    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut rng = Rng::seeded(0);
        assert_eq!([rng.next_u64(), rng.next_u64()], [5_987_356_902_031_041_503, 7_051_070_477_665_621_255]);
        let mut rng = Rng::seeded(42);
        let drawn: [usize; 8] = std::array::from_fn(|_| rng.below(1000));
        assert_eq!(drawn, [814, 318, 983, 701, 793, 588, 125, 605]);
        assert_eq!(rng.unit(), 0.207_717_171_623_321_6);
        assert_eq!(rng.permutation(10), [1, 3, 8, 7, 2, 0, 4, 6, 5, 9]);
        let state = "[5726367031845654541,3662791717741399644,17042498262953750018,5049584178551681873]";
        assert_eq!(serde_json::to_string(&rng).unwrap(), format!("{{\"state\":{state}}}"));
    }

    #[test]
    fn xoshiro_gives_its_published_numbers() {
        let mut rng: Rng = serde_json::from_str(r#"{"state": [1, 2, 3, 4]}"#).unwrap();
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
