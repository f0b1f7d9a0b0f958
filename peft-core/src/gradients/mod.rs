//! Checks of gradients: does the backward pass compute what the loss does?
//!
//! An operation without a backward pass cuts the gradient without an error: what is below it does not train, or trains with a wrong
//! gradient if there is a way around the operation (a residual connection). That a gradient arrives proves little. The check
//! compares it with the loss itself, by finite differences.
//!
//! - `check`: [`GradientCheck`], what is compared and how closely.
//! - `run`: which variables move together, and what follows from it.
//! - `comparison`: the two derivatives, and what they show.
//! - `place`: where gradients are compared.
//! - `point`: the variables, moved and put back.
//! - `differences`: a derivative from values, with its uncertainty.
//! - `report`: [`GradientReport`], what was found.
//! - `probe`: which operations of this build have no right gradient.
//! - `refusal`: a report as an error that names variables and operations.

mod check;
mod comparison;
mod differences;
mod place;
mod point;
pub mod probe;
mod refusal;
mod report;
mod run;
#[cfg(test)]
mod tests;

pub use check::GradientCheck;
pub use report::{GradientReport, VariableReport, Verdict};
