//! The argument of a forward pass: which methods act, with their weights.
//!
//! - `input`: the tensors that a backbone hands over at a site.
//! - `rows`: some rows of a batch.
//! - `layer`: one adapter of a forward pass, and how it acts at a site.
//! - `stack`: several adapters, one after the other.
//! - `by_row`: a batch whose rows use different adapters.
//! - `merge`: merges methods into the backbone's weights, says why one cannot be merged, and undoes it.

mod by_row;
mod input;
mod layer;
mod merge;
mod rows;
mod stack;
#[cfg(test)]
mod tests;

pub use input::{Residual, SiteInput};
pub use merge::Merge;
pub use stack::ActiveAdapters;
