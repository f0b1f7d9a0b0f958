//! What a forward pass receives: plans and the weights for them.
//!
//! - `input`: the tensors that a backbone hands over at a site.
//! - `rows`: some rows of a batch.
//! - `layer`: one adapter of a forward pass, and how it acts at a site.
//! - `stack`: several adapters, one after the other.
//! - `by_row`: rows of a batch that use different adapters.
//! - `merge`: which methods become part of the backbone's weights, why others cannot, and the way back.

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
