//! Which operations of this build have no right gradient.
//!
//! Each operation runs on a tiny input, and [`GradientCheck`](super::GradientCheck) compares its gradient with finite differences. The
//! list is therefore that of the candle-nn that a program is linked to: a patched or later version may have a shorter one.
//!
//! ```
//! use peft_core::gradients::probe::{Finding, operations};
//!
//! let found = operations()?;
//! for operation in found.iter().filter(|operation| operation.finding != Finding::Right) {
//!     println!("{operation}");
//! }
//! let linear = found.iter().find(|operation| operation.name == "peft_kernels::linear").ok_or("not probed")?;
//! assert_eq!(linear.finding, Finding::Right);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - `case`: an operation, its arguments, and the verdict on it.
//! - `layers`: normalization, softmax, activations and losses of candle-nn.
//! - `sequences`: rotary embeddings, attention, key-value caches and recurrent layers of candle-nn.
//! - `images`: convolutions and resampling.
//! - `kernels`: the operations of `peft-kernels`.

mod case;
mod images;
mod kernels;
mod layers;
mod sequences;

pub use case::{Finding, Operation};

use crate::Result;

/// All operations that are probed, in the order of the modules: those of candle and candle-nn, then those of `peft-kernels`.
///
/// Operations for inference only (packed attention, eight-bit weights) are not among them. It takes some milliseconds.
///
/// # Errors
/// If a tensor cannot be made.
pub fn operations() -> Result<Vec<Operation>> {
    let cases = [layers::CASES, sequences::CASES, images::CASES, kernels::CASES];
    cases.into_iter().flatten().map(case::Case::probe).collect()
}
