//! What a run tells the world while it goes: numbers for programs, curves for TensorBoard, a bar for people.
//!
//! - [`Telemetry`] holds all three and is what a training loop talks to.
//! - [`MetricsLog`]: `metrics.jsonl`, one object per line, continued cleanly after an interruption.
//! - [`EventWriter`]: `events.out.tfevents.*`, scalars in TensorBoard's own format.
//! - [`Progress`]: a bar on a terminal, plain lines elsewhere, nothing if asked.

mod facade;
mod metrics;
mod progress;
mod tensorboard;

pub use facade::{Telemetry, TelemetryOptions};
pub use metrics::{MetricsLog, StepRecord};
pub use progress::{Progress, ProgressOptions};
pub use tensorboard::EventWriter;
