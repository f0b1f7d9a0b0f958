//! Many comparisons.

/// Holm's (1979) corrected p-values, in the order of `p`. A comparison whose corrected value is below 0.05 is one that a test of all
/// of them at once, at 5 %, would call a difference.
///
/// With the `m` values sorted, the `i`-th becomes `max over j ≤ i of min(1, (m - j + 1) p_j)`.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let mut highest: f64 = 0.;
    let mut corrected: Vec<(usize, f64)> = Vec::with_capacity(p.len());
    for (rank, (place, value)) in order.into_iter().enumerate() {
        highest = highest.max(((p.len() - rank) as f64 * value).min(1.));
        corrected.push((place, highest));
    }
    corrected.sort_by_key(|(place, _)| *place);
    corrected.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_counts_most_and_the_order_of_p_is_kept() {
        // As R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") prints.
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(corrected.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{corrected:?}");
    }

    #[test]
    fn no_value_exceeds_one_and_one_comparison_needs_no_correction() {
        assert_eq!(holm(&[0.6, 0.7]), [1., 1.]);
        assert_eq!(holm(&[0.04]), [0.04]);
        assert_eq!(holm(&[]), [0.; 0]);
    }
}
