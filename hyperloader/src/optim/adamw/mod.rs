//! AdamW with f32 state over named variables.

mod candle;
mod config;
mod group;
mod moments;
mod optimizer;
mod state;
mod update;

pub use config::{AdamWConfig, AdamWFlavor, Unreached};
pub use optimizer::AdamW;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests;
