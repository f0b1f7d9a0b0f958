//! The weights of one forward pass, and the variables that they are computed from.
//!
//! - `adapter_weights`: one list of tensors for each target of a plan.
//! - `store`: variables by name, with seeded initial values.
//! - `moments`: the mean and the standard deviation of an initial value.

mod adapter_weights;
mod entry;
mod initial;
mod moments;
mod random;
mod store;

pub use adapter_weights::AdapterWeights;
pub use initial::initial;
pub use moments::moments;
pub use random::random_weights;
pub use store::{ParamStore, check_elements};
