//! **What** happens at a site: the traits of a method, and the weights that a method asks for.
//!
//! - `method`: [`PeftConfig`] (data) and [`PeftModule`] (an equation at one site).
//! - `params`: [`ParamSpec`], the name, shape and initial value of a weight.
//! - `head_init`: [`HeadInit`], how a generator's output layer for a weight begins.
//! - `as_any`: from a trait object back to its type.

mod as_any;
mod head_init;
mod method;
mod params;

pub use as_any::AsAny;
pub use head_init::HeadInit;
pub use method::{Fused, PeftConfig, PeftModule, SiteCall, take};
pub use params::{KAIMING_UNIFORM, ParamSpec, Scope, normal};
