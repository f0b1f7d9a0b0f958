//! The server of `hyperloader serve`: models that label texts over HTTP.
//!
//! ```text
//! connections ─> routes ─> queue of a model ─> workers of that model ─> answers
//! ```
//!
//! - [`serve`] runs until it is asked to stop, and answers what it accepted before it returns.
//! - `api/` is what clients see: one file a route. It runs on one thread and computes nothing.
//! - `models/` is what computes: each model has one thread that owns it, and workers that take batches out of its queue.

mod api;
mod app;
mod error;
mod json;
mod listen;
mod log;
mod metrics;
mod models;
mod options;
mod phase;
mod run;
mod secret;
mod stalled;

pub use log::log_events;
pub use options::{Limits, ModelSource, ServeOptions};
pub use run::serve;
pub use secret::Secret;
