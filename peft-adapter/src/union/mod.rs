//! Several methods as one: unions of any methods, and the two unions that have a name in the literature.

mod chain;
mod config;
mod members;
mod preset;

#[cfg(test)]
mod tests;

pub use config::UnionConfig;
pub use preset::{MamConfig, UniPeltConfig};

pub(crate) use members::members;
