//! The sequence of tasks and sentences that training reads.

use serde::{Deserialize, Serialize};

use super::rng::Rng;
use super::temperature::task_probabilities;
use crate::error::{Error, Result};

/// Draws the task of each step and the sentences of its batch, both with replacement.
///
/// The numbers depend only on the seed. A sampler that [`TaskSampler::restore`]s a saved [`TaskSampler::state`] continues
/// with the next number.
#[derive(Debug, Clone)]
pub struct TaskSampler {
    sizes: Vec<usize>,
    /// Running sums of the task probabilities, without the last sum, which is 1.
    cumulative: Vec<f64>,
    rng: Rng,
}

/// The state of a [`TaskSampler`] in a checkpoint. It has only integers, because a file format may round floats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplerState {
    /// The number of sentences of each task, to check that the data has not changed.
    pub sizes: Vec<usize>,
    /// The random number generator.
    pub rng: Rng,
}

impl TaskSampler {
    /// A sampler over tasks with `sizes` sentences.
    ///
    /// # Errors
    /// As [`task_probabilities`].
    pub fn new(sizes: &[usize], temperature: f64, seed: u64) -> Result<Self> {
        let mut cumulative: Vec<f64> = task_probabilities(sizes, temperature)?
            .into_iter()
            .scan(0.0, |sum, p| {
                *sum += p;
                Some(*sum)
            })
            .collect();
        cumulative.pop();
        Ok(Self { sizes: sizes.to_vec(), cumulative, rng: Rng::seeded(seed) })
    }

    /// The task of the next step.
    pub fn next_task(&mut self) -> usize {
        let drawn = self.rng.unit();
        self.cumulative.partition_point(|&bound| bound <= drawn)
    }

    /// The sentences of a batch of `task`: `batch` indices below the task's size.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the task does not exist.
    pub fn next_items(&mut self, task: usize, batch: usize) -> Result<Vec<usize>> {
        let size = *self
            .sizes
            .get(task)
            .ok_or_else(|| Error::Invalid(format!("task {task}: there are {} tasks", self.sizes.len())))?;
        Ok((0..batch).map(|_| self.rng.below(size)).collect())
    }

    /// The state to save in a checkpoint.
    #[must_use]
    pub fn state(&self) -> SamplerState {
        SamplerState { sizes: self.sizes.clone(), rng: self.rng.clone() }
    }

    /// Continues from a saved state.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the tasks have other sizes than in the state.
    pub fn restore(&mut self, state: SamplerState) -> Result<()> {
        if state.sizes != self.sizes {
            return Err(Error::Invalid(format!(
                "the tasks had {:?} sentences when the checkpoint was saved, and have {:?} now: \
                 resume with the same data",
                state.sizes, self.sizes
            )));
        }
        self.rng = state.rng;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn steps(sampler: &mut TaskSampler, n: usize) -> Vec<(usize, Vec<usize>)> {
        (0..n)
            .map(|_| {
                let task = sampler.next_task();
                (task, sampler.next_items(task, 4).unwrap())
            })
            .collect()
    }

    #[test]
    fn one_seed_gives_one_stream() {
        let sampler = |seed| TaskSampler::new(&[50, 20, 9], 10.0, seed).unwrap();
        assert_eq!(steps(&mut sampler(3), 40), steps(&mut sampler(3), 40));
        assert_ne!(steps(&mut sampler(3), 40), steps(&mut sampler(4), 40));
    }

    #[test]
    fn a_restored_sampler_goes_on_number_for_number() {
        let mut first = TaskSampler::new(&[50, 20, 9], 10.0, 3).unwrap();
        steps(&mut first, 17);
        let saved = serde_json::to_string(&first.state()).unwrap();
        let mut second = TaskSampler::new(&[50, 20, 9], 10.0, 99).unwrap();
        second.restore(serde_json::from_str(&saved).unwrap()).unwrap();
        assert_eq!(steps(&mut first, 40), steps(&mut second, 40));
    }

    #[test]
    fn a_state_of_other_data_is_refused() {
        let state = TaskSampler::new(&[50, 20], 10.0, 3).unwrap().state();
        let mut other = TaskSampler::new(&[50, 21], 10.0, 3).unwrap();
        assert!(other.restore(state).unwrap_err().to_string().contains("[50, 21]"));
    }

    #[test]
    fn tasks_come_as_often_as_their_probability_says() {
        let sizes = [900, 90, 10];
        let p = task_probabilities(&sizes, 2.0).unwrap();
        let mut sampler = TaskSampler::new(&sizes, 2.0, 11).unwrap();
        let mut hits = [0_f64; 3];
        for _ in 0..100_000 {
            hits[sampler.next_task()] += 1.0;
        }
        for (hit, p) in hits.iter().zip(p) {
            let sd = (100_000.0 * p * (1.0 - p)).sqrt();
            assert!((hit - 100_000.0 * p).abs() < 5.0 * sd, "{hits:?}");
        }
    }

    #[test]
    fn items_cover_the_task_and_nothing_else() {
        let mut sampler = TaskSampler::new(&[1000, 5], 1.0, 0).unwrap();
        let mut items = sampler.next_items(1, 200).unwrap();
        items.sort_unstable();
        items.dedup();
        assert_eq!(items, [0, 1, 2, 3, 4]);
        assert!(sampler.next_items(2, 1).is_err());
    }
}
