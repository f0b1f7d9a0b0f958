//! Parameter-efficient fine-tuning (PEFT) on candle, with any method on any backbone.
//!
//! Fine-tuning trains all weights of a model (the *backbone*). A PEFT method, such as LoRA, freezes them and trains a few new
//! weights that act at certain places. This crate holds the traits and types that methods, backbones and sources of weights
//! share. The methods themselves are in `peft-lora` and `peft-adapter`.
//!
//! The crate keeps three questions apart:
//!
//! 1. **Where** can something be inserted? A backbone names its [`Sites`].
//! 2. **What** happens there? A method (a [`PeftConfig`] and its [`PeftModule`]s) says which weights it needs at a site and
//!    how they act. It holds no tensors.
//! 3. **Where do the weights come from?** A [`WeightGenerator`] makes them: plain variables ([`StaticConfig`]), a
//!    hypernetwork (`peft-hyper`), or your own.
//!
//! Methods and generators share only [`ParamSpec`]s, the names and shapes of weights. Therefore every method works with every
//! generator on every backbone. A [`Plan`] decides once which method acts at which site. A generator turns a [`Condition`]
//! (a task, and what else it [needs](Needs) to see) into [`AdapterWeights`] for the plan. Plan and weights together are [`ActiveAdapters`], which a forward pass takes:
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use peft_core::prelude::*;
//! use peft_core::toy::{Scale, toy_sites};
//!
//! // Where: the sites of a backbone. What: a method. Where the weights come from: plain variables.
//! let sites = toy_sites(1, 4);
//! let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(Scale::new(["q", "v"]))];
//! let plan = Plan::resolve(&sites, &methods)?;
//! let store = ParamStore::new(0, &Device::Cpu);
//! let generator = StaticConfig::new().build(&plan, &Tasks::new(["ner"]), store.var_builder())?;
//!
//! // One forward pass at the first site, as a backbone does it.
//! let weights = generator.generate(&Condition::Task(0))?;
//! let active = ActiveAdapters::new(&plan, &weights)?;
//! let q = sites.find("layers.0.q").ok_or("no such site")?;
//! let y = Tensor::ones((1, 2, 4), DType::F32, &Device::Cpu)?;
//! let out = active.apply(q, SiteInput::new(&y, y.clone()), &mut Ctx::eval())?;
//! assert_eq!(out.to_vec3::<f32>()?, y.to_vec3::<f32>()?); // a scale of one changes nothing
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`PeftModel`] puts a backbone, methods and a generator together, so that training takes a few lines. A model that implements
//! [`Backbone`] can be used with it; [`layers`] has what most backbones are built from. [`PeftModel::wrap`] takes any model that loads
//! from a candle `VarBuilder`, without a change to it.
//! [`PeftModel::check_gradients`] shows that its gradients are right; [`gradients`] has the check for any other loss.
//!
//! To write a method, implement [`PeftConfig`] and [`PeftModule`]; to write a source of weights, [`GeneratorConfig`] and
//! [`WeightGenerator`].
//!
//! # Features
//!
//! - `conformance`: the checks that every method should pass.
//! - `toy`: a toy backbone and a toy method, for examples and tests.

#![forbid(unsafe_code)]
// A training step and a step of decoding run here: what crosses between host and device is counted.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod active;
pub mod adapters;
#[cfg(feature = "conformance")]
#[allow(clippy::disallowed_methods, reason = "checks for authors of methods, on the CPU")]
pub mod conformance;
pub mod generators;
#[allow(clippy::disallowed_methods, reason = "a check before the first step, which reads every gradient")]
pub mod gradients;
pub mod layers;
pub mod methods;
pub mod model;
pub mod near;
pub mod plan;
pub mod prelude;
pub mod rng;
pub mod rows;
pub mod sites;
#[cfg(feature = "toy")]
#[allow(clippy::disallowed_methods, reason = "for examples and tests")]
pub mod toy;
pub mod weights;
pub mod wrapped;

mod config;
mod ctx;
mod error;

pub use adapters::{BASE, TrainableParameters};
pub use config::{check_dropout, nonzero};
pub use ctx::goes_device_way;
pub use error::{Error, Result};
pub use generators::{PEFT_PREFIX, generate_rows};
pub use methods::{AsAny, HeadInit, KAIMING_UNIFORM, Scope, normal, take};
pub use model::{DEFAULT_ADAPTER, DEFAULT_TASK, IntoCondition, PeftModelBuilder, PeftParts};
pub use prelude::*;
pub use sites::{KeyValuePrefix, PathPattern, PrefixPlacement};
pub use weights::{check_elements, initial, moments, random_weights};
pub use wrapped::{IntoVarBuilder, NoLoss};

/// The programs of the README are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
