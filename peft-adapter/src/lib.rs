//! The adapter family: small networks behind or beside a sub-layer, and relatives that leave linear maps alone.
//!
//! | type | `peft_type` | what it is |
//! |---|---|---|
//! | [`BottleneckConfig`] | `BOTTLENECK` | two projections through a bottleneck: Houlsby, Pfeiffer, parallel, HyperLoader's |
//! | [`CompacterConfig`] | `COMPACTER` | the same with projections that are sums of Kronecker products |
//! | [`LnTuningConfig`] | `LN_TUNING` | the scales of the backbone's norms |
//!
//! The main type is [`BottleneckConfig`]. Like every method it holds no weights; a generator of `peft-core` (variables) or
//! `peft-hyper` (a hypernetwork) supplies them. [`files`] reads and writes the folders of AdapterHub's `adapters`.
//!
//! ```
//! use peft_adapter::BottleneckConfig;
//! use peft_core::toy::toy_sites;
//! use peft_core::{PeftConfig, Plan};
//!
//! // The toy backbone has one hidden site a layer, behind its feed-forward block.
//! let config = BottleneckConfig { reduction_factor: 4., ..BottleneckConfig::default() };
//! let plan = Plan::resolve(&toy_sites(3, 16), &[Box::new(config) as Box<dyn PeftConfig>])?;
//! // Down 4×16 + 4, up 16×4 + 16, a layer norm of 2×16, in each of three layers.
//! assert_eq!(plan.num_parameters(), 3 * (4 * 16 + 4 + 16 * 4 + 16 + 2 * 16));
//! # Ok::<(), peft_core::Error>(())
//! ```

pub mod files;

mod activation;
mod bottleneck;
mod compacter;
mod frame;
mod gate;
mod leave_out;
mod ln_tuning;
mod prefix;
mod prompt;
mod union;

pub use activation::NonLinearity;
pub use bottleneck::BottleneckConfig;
pub use compacter::CompacterConfig;
pub use leave_out::LeaveOut;
pub use ln_tuning::LnTuningConfig;
pub use prefix::{PrefixConfig, PrefixTuningConfig};
pub use prompt::PromptTuningConfig;
pub use union::{MamConfig, UniPeltConfig, UnionConfig};
