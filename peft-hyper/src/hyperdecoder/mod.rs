//! Weights that are generated from the output of a stack, for each sentence.
//!
//! - `config`: [`HyperdecoderConfig`].
//! - `network`: the whole generator, with plain weights up to that stack and generated ones after it.
//! - `stack`: what generates the weights of one stack.

mod config;
mod network;
mod stack;
#[cfg(test)]
mod tests;

pub use config::HyperdecoderConfig;
