//! A paired bootstrap over test sentences.

use datasets::sample::Rng;
use serde::Serialize;

use super::counts::Counts;

/// The difference of two systems, with what a bootstrap says about it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Micro-F1 of the first system minus that of the second, averaged over tasks and seeds, in [-1, 1].
    pub difference: f64,
    /// The lower end of the 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Twice the smaller share of the draws on one side of 0, the observed value counted as a draw; at most 1. It is not corrected.
    pub p: f64,
}

/// The counts of one system on one task, by seed and sentence.
type Task = [Vec<Counts>];

/// Compares two systems on the same test sentences.
///
/// `first` and `second` hold, for each task and each seed, the [`Counts`] of each sentence. Each of the `draws` takes as many
/// sentences of each task as there are, with replacement, and the same ones for both systems and all seeds. The micro-F1 over them is
/// averaged over seeds, then over tasks. What is resampled are the sentences: the interval says how far another test set might change
/// the difference of these trained models, and nothing about other seeds.
///
/// `None` if the two differ in tasks or sentences, or if one of them has none.
pub fn paired_bootstrap(
    first: &[Vec<Vec<Counts>>],
    second: &[Vec<Vec<Counts>>],
    draws: usize,
    seed: u64,
) -> Option<Difference> {
    let sizes = sizes(first)?;
    if sizes != self::sizes(second)? || draws == 0 {
        return None;
    }
    let all: Vec<Vec<usize>> = sizes.iter().map(|size| (0..*size).collect()).collect();
    let difference = average(first, &all) - average(second, &all);
    let mut rng = Rng::seeded(seed);
    let mut found = Vec::with_capacity(draws);
    for _ in 0..draws {
        let drawn: Vec<Vec<usize>> = sizes.iter().map(|size| (0..*size).map(|_| rng.below(*size)).collect()).collect();
        found.push(average(first, &drawn) - average(second, &drawn));
    }
    let below = found.iter().filter(|value| **value <= 0.).count();
    let above = found.iter().filter(|value| **value >= 0.).count();
    let p = (2. * (1 + below.min(above)) as f64 / (1 + draws) as f64).min(1.);
    found.sort_by(f64::total_cmp);
    Some(Difference { difference, low: quantile(&found, 0.025), high: quantile(&found, 0.975), p })
}

/// The number of sentences of each task; `None` if there is none, or if seeds differ in it.
fn sizes(system: &[Vec<Vec<Counts>>]) -> Option<Vec<usize>> {
    let of_task = |task: &Vec<Vec<Counts>>| {
        let size = task.first()?.len();
        (size > 0 && task.iter().all(|seed| seed.len() == size)).then_some(size)
    };
    let sizes: Vec<usize> = system.iter().map(of_task).collect::<Option<_>>()?;
    (!sizes.is_empty()).then_some(sizes)
}

/// The mean over tasks and seeds of the micro-F1 on the sentences `drawn` of each task.
fn average(system: &[Vec<Vec<Counts>>], drawn: &[Vec<usize>]) -> f64 {
    let of_task = |(task, drawn): (&Vec<Vec<Counts>>, &Vec<usize>)| mean_f1(task, drawn);
    system.iter().zip(drawn).map(of_task).sum::<f64>() / system.len() as f64
}

fn mean_f1(task: &Task, drawn: &[usize]) -> f64 {
    let of_seed =
        |sentences: &Vec<Counts>| drawn.iter().filter_map(|at| sentences.get(*at)).copied().sum::<Counts>().f1();
    task.iter().map(of_seed).sum::<f64>() / task.len() as f64
}

/// The value of sorted `values` below which the share `part` of them is.
fn quantile(values: &[f64], part: f64) -> f64 {
    let at = (part * (values.len() - 1) as f64).round() as usize;
    values.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// One task and one seed: `right` of `sentences` sentences with one gold and one predicted span are right.
    fn system(right: usize, sentences: usize) -> Vec<Vec<Vec<Counts>>> {
        let count = |at| Counts { gold: 1, predicted: 1, right: u32::from(at < right) };
        vec![vec![(0..sentences).map(count).collect()]]
    }

    #[test]
    fn a_system_does_not_differ_from_itself() {
        let same = paired_bootstrap(&system(30, 100), &system(30, 100), 1000, 1).unwrap();
        assert_eq!(same, Difference { difference: 0., low: 0., high: 0., p: 1. });
    }

    #[test]
    fn the_interval_is_that_of_the_binomial_where_the_answer_is_known() {
        // The second is wrong everywhere, so the difference of a draw is the share of right ones in 400 draws with p = 0.3: its
        // standard deviation is √(0.3 · 0.7 / 400) = 0.0229.
        let found = paired_bootstrap(&system(120, 400), &system(0, 400), 4000, 7).unwrap();
        assert!((found.difference - 0.3).abs() < 1e-12);
        assert!((found.low - (0.3 - 1.96 * 0.0229)).abs() < 0.004, "{found:?}");
        assert!((found.high - (0.3 + 1.96 * 0.0229)).abs() < 0.004, "{found:?}");
        assert_eq!(found.p, 2. / 4001.);
    }

    #[test]
    fn pairing_makes_a_small_constant_advantage_certain() {
        // The first is right wherever the second is, and on eight sentences more.
        let paired = paired_bootstrap(&system(208, 400), &system(200, 400), 2000, 3).unwrap();
        assert!(paired.low > 0. && paired.p < 0.01, "{paired:?}");
        // The same scores on other sentences: nothing can be said.
        let mut other = system(200, 400);
        other[0][0].reverse();
        let unpaired = paired_bootstrap(&system(208, 400), &other, 2000, 3).unwrap();
        assert!(unpaired.low < 0. && unpaired.high > 0. && unpaired.p > 0.2, "{unpaired:?}");
    }

    #[test]
    fn tasks_count_alike_and_a_seed_repeats_the_draws() {
        let both = |a: usize, b: usize| [system(a, 10), system(b, 90)].concat();
        let found = paired_bootstrap(&both(5, 90), &both(0, 90), 200, 5).unwrap();
        assert_eq!(found.difference, 0.25);
        assert_eq!(paired_bootstrap(&both(5, 90), &both(0, 90), 200, 5).unwrap(), found);
        assert_ne!(paired_bootstrap(&both(5, 90), &both(0, 90), 200, 6).unwrap(), found);
    }

    #[test]
    fn systems_on_other_sentences_are_not_compared() {
        assert_eq!(paired_bootstrap(&system(1, 10), &system(1, 11), 100, 1), None);
        assert_eq!(paired_bootstrap(&[], &[], 100, 1), None);
        assert_eq!(paired_bootstrap(&system(0, 0), &system(0, 0), 100, 1), None);
    }
}
