//! Bottleneck adapters: configuration, presets and what they compute.

mod config;
mod module;
mod presets;
mod setters;

#[cfg(test)]
mod tests;

pub use config::BottleneckConfig;
pub(crate) use config::narrowed;
