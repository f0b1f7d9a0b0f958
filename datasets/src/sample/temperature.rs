//! The probability of each task, and the length of an epoch.

use crate::error::{Error, Result};

/// p_i = (n_i / N)^(1/T) / Σ_j (n_j / N)^(1/T), for tasks with n_i sentences, N in total (Raffel et al. 2020,
/// section 3.5.2; T = 10 in the paper).
///
/// # Errors
/// [`Error::Invalid`] without tasks, for a task without sentences, or for a temperature that is not above 0.
/// Infinity is allowed and makes all tasks equally likely.
///
/// ```
/// use datasets::sample::task_probabilities;
/// assert_eq!(task_probabilities(&[300, 100], 1.0)?, [0.75, 0.25]);
/// # Ok::<(), datasets::Error>(())
/// ```
pub fn task_probabilities(sizes: &[usize], temperature: f64) -> Result<Vec<f64>> {
    if sizes.is_empty() {
        return Err(Error::Invalid("no tasks to draw from".to_owned()));
    }
    if let Some(task) = sizes.iter().position(|&size| size == 0) {
        return Err(Error::Invalid(format!("task {task} has no sentences to draw from")));
    }
    if temperature.is_nan() || temperature <= 0.0 {
        return Err(Error::Invalid(format!("sampling temperature {temperature}: expected a number above 0")));
    }
    let all = sizes.iter().sum::<usize>() as f64;
    let weights: Vec<f64> = sizes.iter().map(|&size| (size as f64 / all).powf(temperature.recip())).collect();
    let total: f64 = weights.iter().sum();
    Ok(weights.into_iter().map(|weight| weight / total).collect())
}

/// The number of steps in one pass over the data: ⌊⌈N / batch⌉ / replicas⌋, at least 1, for batches of `batch`
/// sentences on each of `replicas` devices.
///
/// # Errors
/// [`Error::Invalid`] if `batch` or `replicas` is 0.
pub fn steps_per_epoch(sizes: &[usize], batch: usize, replicas: usize) -> Result<usize> {
    if batch == 0 || replicas == 0 {
        return Err(Error::Invalid(format!("batch {batch} on {replicas} replicas: both must be at least 1")));
    }
    let batches = sizes.iter().sum::<usize>().div_ceil(batch);
    Ok((batches / replicas).max(1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_high_temperature_makes_tasks_equal() {
        let p = task_probabilities(&[10, 1000], 1e6).unwrap();
        assert!((p[0] - 0.5).abs() < 1e-5);
        assert_eq!(task_probabilities(&[10, 1000], f64::INFINITY).unwrap(), [0.5, 0.5]);
    }

    #[test]
    fn a_temperature_of_two_takes_square_roots() {
        let p = task_probabilities(&[1, 9], 2.0).unwrap();
        assert!((p[0] - 0.25).abs() < 1e-12 && (p[1] - 0.75).abs() < 1e-12);
    }

    #[test]
    fn invalid_settings_are_named() {
        assert!(task_probabilities(&[], 1.0).is_err());
        assert!(task_probabilities(&[3, 0], 1.0).unwrap_err().to_string().contains("task 1"));
        for temperature in [0.0, -1.0, f64::NAN] {
            assert!(task_probabilities(&[1], temperature).is_err());
        }
        assert!(steps_per_epoch(&[5], 0, 1).is_err());
        assert!(steps_per_epoch(&[5], 1, 0).is_err());
    }

    #[test]
    fn an_epoch_has_at_least_one_step() {
        assert_eq!(steps_per_epoch(&[5], 32, 4).unwrap(), 1);
        assert_eq!(steps_per_epoch(&[65], 32, 1).unwrap(), 3);
        assert_eq!(steps_per_epoch(&[65], 32, 2).unwrap(), 1);
    }
}
