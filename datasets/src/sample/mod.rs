//! Draws the task of each training step and the sentences of its batch. A seed decides all numbers, so a run can be
//! repeated and resumed.
//!
//! Each step trains one task. Task i has n_i of the N sentences and is drawn with p_i ∝ (n_i / N)^(1/T)
//! ([`task_probabilities`]). With T = 1 a task is drawn in proportion to its size; a large T makes all tasks equally
//! likely; the paper uses T = 10. The sentences of the batch are then drawn uniformly. Tasks and sentences are drawn
//! with replacement ([`TaskSampler`]). [`down_sample`] and [`take`] make smaller data sets for low-resource
//! experiments.
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
