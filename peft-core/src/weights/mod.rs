//! The weights of one forward pass, and the variables that they are computed from.
//!
//! - `adapter_weights`: one list of tensors for each target of a plan.
//! - `store`: variables by name, with seeded initial values.
//! - `moments`: the mean and the standard deviation of an initial value.

mod adapter_weights;
#[allow(clippy::disallowed_methods, reason = "values that are read and loaded between steps")]
mod entry;
mod initial;
mod moments;
mod random;
#[allow(clippy::disallowed_methods, reason = "values that are read and loaded between steps")]
mod store;

pub use adapter_weights::AdapterWeights;
pub use initial::initial;
pub use moments::moments;
pub use random::random_weights;
pub use store::{ParamStore, check_elements};
