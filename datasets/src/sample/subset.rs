//! Seeded parts of a data set.

use super::rng::Rng;
use crate::error::{Error, Result};
use crate::read::Dataset;

/// A seeded random part of a data set, in the order of the file: ⌊n · fraction⌋ of n sentences, at least 1.
///
/// The paper's low-resource files (10, 20 and 50 %) have exactly these sizes, for training and validation. The paper
/// does not publish which sentences they hold.
///
/// # Errors
/// [`Error::Invalid`] unless 0 < fraction ≤ 1.
pub fn down_sample(dataset: &Dataset, fraction: f64, seed: u64) -> Result<Dataset> {
    if !(fraction > 0.0 && fraction <= 1.0) {
        return Err(Error::Invalid(format!("fraction {fraction} of a data set: expected more than 0 and at most 1")));
    }
    let n = dataset.examples.len();
    let mut chosen = Rng::seeded(seed).permutation(n);
    chosen.truncate(part_of(n, fraction));
    chosen.sort_unstable();
    Ok(pick(dataset, &chosen))
}

/// The first `n_obs` sentences of a seeded permutation, in the order of the permutation. All sentences if the data set
/// has fewer.
#[must_use]
pub fn take(dataset: &Dataset, n_obs: usize, seed: u64) -> Dataset {
    let mut chosen = Rng::seeded(seed).permutation(dataset.examples.len());
    chosen.truncate(n_obs);
    pick(dataset, &chosen)
}

fn part_of(n: usize, fraction: f64) -> usize {
    // 100 · 0.29 is 28.999999999999996 in binary: do not round it down to 28.
    const ROUNDING: f64 = 1e-9;
    ((n as f64 * fraction + ROUNDING).floor() as usize).max(1)
}

fn pick(dataset: &Dataset, chosen: &[usize]) -> Dataset {
    Dataset {
        examples: chosen.iter().filter_map(|&index| dataset.examples.get(index).cloned()).collect(),
        skipped: dataset.skipped.clone(),
        origin: dataset.origin.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::example::Example;

    fn numbered(n: usize) -> Dataset {
        Dataset::from_examples((0..n).map(|i| Example::new([i.to_string()], ["O"])).collect())
    }

    fn numbers(dataset: &Dataset) -> Vec<usize> {
        dataset.examples.iter().map(|example| example.tokens[0].parse().unwrap()).collect()
    }

    #[test]
    fn a_part_has_the_sizes_of_the_papers_low_resource_files() {
        for (n, tenth, fifth) in [(8797, 879, 1759), (4478, 447, 895), (15667, 1566, 3133)] {
            assert_eq!((part_of(n, 0.1), part_of(n, 0.2)), (tenth, fifth));
        }
        assert_eq!((part_of(100, 0.29), part_of(3, 0.1), part_of(7, 1.0)), (29, 1, 7));
    }

    #[test]
    fn a_part_keeps_the_order_and_depends_on_the_seed() {
        let all = numbered(200);
        let part = numbers(&down_sample(&all, 0.1, 1).unwrap());
        assert_eq!(part.len(), 20);
        assert!(part.is_sorted());
        assert_eq!(part, numbers(&down_sample(&all, 0.1, 1).unwrap()));
        assert_ne!(part, numbers(&down_sample(&all, 0.1, 2).unwrap()));
    }

    #[test]
    fn larger_parts_of_a_seed_contain_smaller_parts() {
        let all = numbered(100);
        let large = numbers(&down_sample(&all, 0.5, 9).unwrap());
        let small = numbers(&down_sample(&all, 0.1, 9).unwrap());
        assert!(small.iter().all(|number| large.contains(number)));
    }

    #[test]
    fn taking_a_number_follows_the_permutation() {
        let all = numbered(50);
        let order = Rng::seeded(42).permutation(50);
        assert_eq!(numbers(&take(&all, 7, 42)), order[..7]);
        assert_eq!(take(&all, 500, 42).examples.len(), 50);
    }

    #[test]
    fn fractions_outside_of_zero_to_one_are_refused() {
        for fraction in [0.0, -0.1, 1.1, f64::NAN] {
            assert!(down_sample(&numbered(3), fraction, 0).is_err());
        }
    }
}
