//! Layers for backbones: parameters that know their names in checkpoints, and call the methods at their sites.
//!
//! | file | is |
//! |---|---|
//! | `run` | what every layer of a forward pass gets |
//! | `weight` | one parameter |
//! | `linear`, `norm`, `embedding` | the layers that are made of one parameter |
//! | `columns` | positions and masks in a padded batch of a decoder |
//! | `key_values` | the keys and values of an attention, with those that methods put in front |
//! | `sampling` | the next token out of the scores of all words, greedy or drawn |
//! | `builder` | takes parameters from a `VarBuilder`, and names sites on the way |
//! | `merge` | merges methods into the parameters of a model, and undoes it |
//!
//! A backbone builds its layers with a [`LayerBuilder`], and hands a [`Run`] through its forward pass:
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use peft_core::layers::{LayerBuilder, Run};
//! use peft_core::{ActiveAdapters, Ctx, ParamStore, SiteRole, Stack};
//!
//! let store = ParamStore::new(0, &Device::Cpu);
//! let mut builder = LayerBuilder::new(store.var_builder(), Stack::DECODER);
//! let q = builder.linear("layers.0.q", SiteRole::SELF_Q, [8, 4])?;
//! let sites = builder.into_sites();
//! assert!(sites.find("layers.0.q").is_some());
//!
//! let x = Tensor::ones((1, 3, 4), DType::F32, &Device::Cpu)?;
//! let (active, mut ctx) = (ActiveAdapters::none(), Ctx::eval());
//! assert_eq!(q.forward(&x, &mut Run { active: &active, ctx: &mut ctx })?.dims(), [1, 3, 8]);
//! # Ok::<(), peft_core::Error>(())
//! ```

mod builder;
mod columns;
mod embedding;
mod key_values;
mod linear;
mod merge;
mod norm;
mod run;
mod sampling;
mod weight;

pub use builder::LayerBuilder;
pub use columns::{Columns, Positions};
pub use embedding::Embedding;
pub use key_values::KeyValues;
pub use linear::Linear;
pub use merge::{merge_weights, unmerge_weights};
pub use norm::RmsNorm;
pub use run::Run;
pub use sampling::{Sampler, Sampling};
pub use weight::Weight;
