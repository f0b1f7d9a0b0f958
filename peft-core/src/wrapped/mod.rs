//! PEFT on any model that loads from a candle `VarBuilder`, without a change to its code.
//!
//! - `source`: [`IntoVarBuilder`], where the weights come from.
//! - `record`: notes what a model asks of its builder.
//! - `place`: which of its weights are sites, and where they are.
//! - `base`: hands the weights out again, changed where methods act.
//! - `model`: [`Wrapped`], the model that is built with `W + ΔW` in its weights.
//! - `backbone`: `Wrapped` as a [`Backbone`](crate::Backbone).
//! - `peft_model`: [`PeftModel::wrap`](crate::PeftModel::wrap).

mod backbone;
#[allow(clippy::disallowed_methods, reason = "weights that are on the model's device already")]
mod base;
mod model;
mod peft_model;
mod place;
#[allow(clippy::disallowed_methods, reason = "loads the weights of a model")]
mod record;
mod source;
#[cfg(test)]
mod tests;

pub use model::{NoLoss, Wrapped};
pub use source::IntoVarBuilder;
