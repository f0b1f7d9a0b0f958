//! The traits that keep three questions of parameter-efficient fine-tuning apart.
//!
//! 1. **Where** can something be inserted? A backbone names its [`Sites`].
//! 2. **What** happens there? A method, a [`PeftConfig`] and its [`PeftModule`]s, says which weights it needs at a site
//!    and how they act. It holds no tensors.
//! 3. **Whence** come the weights? A [`WeightGenerator`]: plain variables ([`StaticConfig`]), a hypernetwork, or a file.
//!
//! A [`Plan`] resolves methods against sites once. A generator turns a [`Condition`] (a task) into a [`AdapterWeights`] in the
//! order of the plan. The two together are [`ActiveAdapters`], which is what a forward pass receives. Because the three sides meet
//! only in [`ParamSpec`]s, every method works with every generator on every backbone:
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use peft_core::toy::{Scale, toy_sites};
//! use peft_core::{ActiveAdapters, Condition, Ctx, GeneratorConfig, ParamStore, PeftConfig, Plan, StaticConfig, TargetModules, Tasks};
//!
//! // Where: a backbone's sites. What: a method. Whence: plain variables.
//! let sites = toy_sites(1, 4);
//! let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(Scale { target_modules: TargetModules::AllLinear })];
//! let plan = Plan::resolve(&sites, &methods)?;
//! let store = ParamStore::new(0, &Device::Cpu);
//! let generator = StaticConfig::default().build(&plan, &Tasks::new(["ner"]), store.var_builder())?;
//!
//! // One forward pass at the first site, as a backbone makes it.
//! let weights = generator.generate(&Condition::Task(0))?;
//! let active = ActiveAdapters::new(&plan, &weights)?;
//! let q = sites.find("layers.0.q").ok_or_else(|| peft_core::Error::Mismatch("no such site".into()))?;
//! let y = Tensor::ones((1, 2, 4), candle_core::DType::F32, &Device::Cpu)?;
//! let out = active.apply(q, &y, None, y.clone(), &mut Ctx::eval())?;
//! assert_eq!(out.to_vec3::<f32>()?, y.to_vec3::<f32>()?); // a scale of one changes nothing
//! # Ok::<(), peft_core::Error>(())
//! ```
//!

#![forbid(unsafe_code)]

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod rng;
pub mod rows;
#[cfg(feature = "toy")]
pub mod toy;

mod active;
mod adapter;
mod adapters;
mod as_any;
mod backbone;
mod ctx;
mod error;
mod generator;
mod method;
mod model;
mod plan;
mod site;
mod spec;
mod static_weights;
mod store;
mod target;
mod weights;

pub use active::{ActiveAdapters, Merge};
pub use adapter::AdapterCheckpoint;
pub use adapters::{Adapters, BASE, TrainableParameters};
pub use as_any::AsAny;
pub use backbone::{Backbone, Merged, Refusal};
pub use ctx::Ctx;
pub use error::{Error, Result};
pub use generator::{Condition, GeneratorConfig, Tasks, WeightGenerator, generate_rows};
pub use method::{LowRankBranch, PeftConfig, PeftModule, SiteCall, take};
pub use model::{DEFAULT_ADAPTER, IntoCondition, PeftModel, PeftModelBuilder, PeftParts};
pub use plan::{Plan, TargetedModule};
pub use site::{PrefixPlacement, Site, SiteId, SiteKind, SiteRole, Sites, Stack};
pub use spec::{HeadInit, KAIMING_UNIFORM, ParamSpec, Scope, normal};
pub use static_weights::{PEFT_PREFIX, StaticConfig};
pub use store::{ParamStore, initial};
pub use target::TargetModules;
pub use weights::AdapterWeights;

/// `n` as a [`NonZeroUsize`](std::num::NonZeroUsize), for the defaults of configurations; 1 for 0.
pub const fn nonzero(n: usize) -> std::num::NonZeroUsize {
    match std::num::NonZeroUsize::new(n) {
        Some(n) => n,
        None => std::num::NonZeroUsize::MIN,
    }
}
