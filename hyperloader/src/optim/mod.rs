//! Optimization: gradients, their clipping, the learning-rate schedule and AdamW.
//!
//! Candle offers an AdamW whose moments are private, and neither clipping nor schedules; a run that must continue
//! bitwise after an interruption, and follow the paper's optimizer to the letter, needs its own. One training step is
//!
//! ```text
//! gradients = Gradients::from_store(&loss.backward()?, &variables)
//! norm      = gradients.clip_grad_norm(1.0)?
//! optimizer.step(&gradients, schedule.lr(step))?
//! ```

mod adamw;
mod gradients;
mod schedule;

pub use adamw::{AdamW, AdamWConfig, AdamWFlavor, Unreached};
pub use gradients::Gradients;
pub use schedule::Schedule;

#[cfg(test)]
mod goldens;
