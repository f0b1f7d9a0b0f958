//! Optimization: gradients, their clipping, the learning-rate schedule and AdamW.
//!
//! A run must continue with the same bits after an interruption, and must follow the paper's optimizer exactly. Candle's AdamW
//! does not give access to its moments, and candle has no clipping and no schedules. [`AdamW`] here also implements
//! [`candle_nn::Optimizer`], for code that is generic over optimizers. One training step is
//!
//! ```text
//! gradients = Gradients::from_store(&loss.backward()?, &variables)
//! norm      = gradients.clip_grad_norm(1.0)?
//! optimizer.apply_gradients(&gradients, schedule.lr(step))?
//! ```
//!
//! and without accumulation and clipping `optimizer.backward_step(&loss, schedule.lr(step))?`.

// What crosses between host and device in a step is counted.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod adamw;
mod gradients;
mod schedule;
mod square_sum;

pub use adamw::{AdamW, AdamWConfig, AdamWFlavor, Unreached};
pub use gradients::Gradients;
pub use schedule::{Schedule, ScheduleKind};
