//! HyperLoader: one hypernetwork generates the LoRA, adapter and layer-norm weights of a multi-task T5 for sequence
//! labelling (arXiv 2407.01411), on top of a toolkit that mixes any PEFT method with any source of weights.
//!
//! - [`t5`] is the backbone; it names its sites and knows no PEFT method. [`decode`] writes text with it.
//! - [`model`] puts methods and a generator of weights on it: [`model::PeftT5`].
//! - [`tasks`] reads corpora, [`train`] trains, [`label`] labels, [`eval`] scores, [`pretrain`] makes a backbone from plain text.
//! - [`compile`] makes one task of a trained model a model of its own, [`export`] files that Python loads.
//! - [`paper_checkpoint`] reads the checkpoints of the paper's authors.
//! - [`session`] composes these into what the command's verbs do; [`config`] is the file that says what to do.
//! - [`optim`], [`telemetry`], [`files`] and [`run`] serve them.
//!
//! As a library: LoRA on `q` and `v` mixed with a parallel adapter on the feed-forward block, two steps of training, saved as
//! AdapterHub would, and merged.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use hyperloader::optim::{AdamW, AdamWConfig};
//! use peft_t5::{T5, Weights, preset, shift_right};
//! use peft_adapter::BottleneckConfig;
//! use peft_adapter::files::{AdapterHubOptions, BaseModel, write_adapterhub};
//! use peft_kernels::{Reduction, SmoothedCrossEntropy, smoothed_cross_entropy};
//! use peft_core::{
//!     ActiveAdapters, AdapterCheckpoint, Condition, Ctx, GeneratorConfig, ParamStore, PeftConfig, Plan, StaticConfig, Tasks, nonzero,
//! };
//! use peft_lora::LoraConfig;
//!
//! // A small T5 of random weights; `Weights::open("t5-small")` reads a folder with config.json and model.safetensors.
//! let mut config = preset("t5-small").ok_or("no such shape")?;
//! (config.vocab_size, config.d_model, config.num_layers, config.num_decoder_layers) = (100, 16, 1, 1);
//! let t5 = T5::new(&config, Weights::random(0).var_builder(DType::F32, &Device::Cpu))?;
//!
//! let methods = || -> Vec<Box<dyn PeftConfig>> {
//!     let lora = LoraConfig { r: nonzero(4), lora_alpha: 8., ..LoraConfig::default() };
//!     vec![Box::new(lora), Box::new(BottleneckConfig { reduction_factor: 4., ..BottleneckConfig::par_bn() })]
//! };
//! let plan = Plan::resolve(t5.sites(), &methods())?;
//! let store = ParamStore::new(42, &Device::Cpu);
//! let generator = StaticConfig::default().build(&plan, &Tasks::new(["ner"]), store.var_builder())?;
//!
//! let ids = Tensor::new(&[[17u32, 4, 1], [9, 1, 0]], &Device::Cpu)?;
//! let mask = Tensor::new(&[[1u32, 1, 1], [1, 1, 0]], &Device::Cpu)?;
//! let labels = Tensor::new(&[[5u32, 1], [8, 1]], &Device::Cpu)?;
//! let loss = SmoothedCrossEntropy { label_smoothing: 0.1, ignore_index: 0, reduction: Reduction::Sum };
//! let mut optimizer = AdamW::new(store.vars(), AdamWConfig::default())?;
//! for step in 0..2 {
//!     let weights = generator.generate(&Condition::Task(0))?;
//!     let (active, mut ctx) = (ActiveAdapters::new(&plan, &weights)?, Ctx::train(42, step));
//!     let encoded = t5.encode(&ids, &mask, &active, &mut ctx)?;
//!     let hidden = t5.decode(&shift_right(&labels, 0)?, &encoded, &active, &mut ctx)?;
//!     let (hidden, output) = (hidden.flatten_to(1)?, t5.output_weight(&active)?);
//!     let loss = smoothed_cross_entropy([&hidden, &output, &labels.flatten_all()?], &loss, ctx.kernels())?;
//!     optimizer.backward_step(&loss, 1e-3)?;
//! }
//!
//! let folder = std::env::temp_dir().join(format!("hyperloader-doc-{}", std::process::id()));
//! let adapter = AdapterCheckpoint { methods: methods(), weights: store.tensors() };
//! write_adapterhub(&folder, &adapter, &BaseModel::new(t5.sites()), &AdapterHubOptions::default())?;
//! assert!(folder.join("adapter.safetensors").is_file());
//! # std::fs::remove_dir_all(&folder)?;
//!
//! // LoRA becomes part of the weights; the bottleneck cannot, and says so.
//! let weights = generator.generate(&Condition::Task(0))?.detach();
//! let merged = t5.merge_and_unload(&ActiveAdapters::new(&plan, &weights)?)?;
//! assert!(merged.refused.iter().all(|refusal| refusal.to_string().contains("BOTTLENECK")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Linking is what registers a crate's methods and generators with typetag; a dependency that no code names is not linked.
use peft_adapter as _;
use peft_hyper as _;
use peft_lora as _;

pub mod bench;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compile;
pub mod config;
pub mod eval;
pub mod export;
pub mod files;
pub mod label;
pub mod model;
pub mod optim;
pub mod paper_checkpoint;
pub mod predict;
pub mod pretrain;
pub mod quickstart;
pub mod run;
pub mod session;
pub mod tasks;
pub mod telemetry;
pub mod train;

mod error;

/// The README's example is a doctest.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub use error::{Error, Result};
