//! The largest of many scores.

/// The `n` largest of `scores` with their places, largest first; of equal ones the earlier place comes first.
pub(super) fn top(scores: impl Iterator<Item = f32>, n: usize) -> Vec<(usize, f32)> {
    let mut best: Vec<(usize, f32)> = Vec::with_capacity(n + 1);
    for (place, score) in scores.enumerate() {
        let full = best.len() == n;
        if full && best.last().is_none_or(|(_, worst)| score <= *worst) {
            continue;
        }
        let at = best.partition_point(|(_, other)| *other >= score);
        best.insert(at, (place, score));
        best.truncate(n);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_stable_sort_cut_short(scores in prop::collection::vec(-3i8..3, 0..40), n in 0usize..9) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let mut sorted: Vec<(usize, f32)> = scores.iter().copied().enumerate().collect();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
            sorted.truncate(n);
            prop_assert_eq!(top(scores.into_iter(), n), sorted);
        }
    }
}
