//! Mean and standard deviation.

/// The mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation of a sample, `√(Σ (x - mean)² / (n - 1))`; `None` of fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_sample_with_known_answers() {
        let values = [2., 4., 4., 4., 5., 5., 7., 9.];
        assert_eq!(mean(&values), Some(5.));
        // Σ (x - 5)² is 32.
        assert_eq!(standard_deviation(&values), Some((32f64 / 7.).sqrt()));
        assert_eq!((mean(&[]), standard_deviation(&[3.])), (None, None));
    }
}
