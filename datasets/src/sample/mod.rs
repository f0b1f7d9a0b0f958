//! Which task comes next, and which of its sentences: seeded, so that a run can be repeated and resumed.
//!
//! Each step trains one task. Task i is drawn with p_i ∝ (n_i / N)^(1/T) from its n_i sentences of N in all
//! ([`task_probabilities`]): T = 1 follows the sizes, a large T makes the tasks equal, the paper takes T = 10.
//! The sentences of the batch are then drawn uniformly, both with replacement ([`TaskSampler`]).
//! [`down_sample`] and [`take`] make the low-resource splits.
//!
//! ```
//! use datasets::sample::{TaskSampler, steps_per_epoch};
//!
//! let sizes = [7034, 8797, 4478];
//! let mut sampler = TaskSampler::new(&sizes, 10.0, 42)?;
//! let task = sampler.next_task();
//! let items = sampler.next_items(task, 32)?;
//! assert!(items.iter().all(|&item| item < sizes[task]));
//! assert_eq!(steps_per_epoch(&sizes, 32, 1)?, 635);
//! # Ok::<(), datasets::Error>(())
//! ```

mod rng;
mod subset;
mod task_sampler;
mod temperature;

pub use rng::Rng;
pub use subset::{down_sample, take};
pub use task_sampler::{SamplerState, TaskSampler};
pub use temperature::{steps_per_epoch, task_probabilities};
