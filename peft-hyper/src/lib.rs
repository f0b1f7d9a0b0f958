//! A hypernetwork that generates the weights of any PEFT method, one set for each task.
//!
//! A hypernetwork is a small network whose output is the weights of another one. Here it gets a task, a layer and the role of a
//! module (such as the query map) and computes the weights of the methods there. Tasks share the hypernetwork, so they learn
//! from each other, and each task only adds one embedding vector.
//!
//! The main type is [`HyperConfig`], `generator = "hypernetwork"` in configuration files. It only sees the name and shape of each
//! weight, so it works with methods from any crate.
//!
//! ```
//! use candle_core::Device;
//! use peft_core::prelude::*;
//! use peft_core::toy::{Scale, toy_sites};
//! use peft_hyper::HyperConfig;
//!
//! let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(Scale::new(TargetModules::AllLinear))];
//! let plan = Plan::resolve(&toy_sites(2, 8), &methods)?;
//! let tasks = Tasks::new(["entities", "slots"]);
//!
//! let store = ParamStore::new(42, &Device::Cpu);
//! let generator = HyperConfig::new().build(&plan, &tasks, store.var_builder())?;
//! let weights = generator.generate(&Condition::Task(tasks.index("slots")?))?;
//! // A scale starts at one, generated or not.
//! assert_eq!(weights.of_target(0)[0].to_vec1::<f32>()?, [1.; 8]);
//! # Ok::<(), peft_core::Error>(())
//! ```
//!
//! # Names of its weights
//!
//! The task embeddings are `hyper.tasks.<task>`; all stacks share them. Each stack that a method acts in has, under `hyper.<stack>`:
//! `layer_embed`, `position_embed`, `mlp1.{weight,bias}`, `mlp2.{weight,bias}`, `norm.{weight,bias}`, and for every name and
//! shape of weights `heads.<weight name>.<shape>.{weight,bias}`. Example: `hyper.decoder.heads.lora_A.weight.8x768.weight`. With groups of heads, those of the groups
//! are one after the other in these tensors.
//!
//! A task of [`HyperConfig::unshared`] has its own weights under `hyper.tasks.<task>.<stack>`, with the same names as in
//! `hyper.<stack>`. [`new_task`] makes the weights of a task that is added to a trained network.
//!
//! # From the input
//!
//! [`HyperdecoderConfig`], `generator = "hyperdecoder"`, generates weights from the output of a stack, such as the encoder, for each
//! sentence.

// A training step and a step of decoding run here: what crosses between host and device is counted.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod config;
mod groups;
mod head;
mod hyperdecoder;
mod init;
mod network;
mod new_task;
mod places;
mod roles;
mod sources;
mod stack;

pub use config::{HyperConfig, Unshared};
pub use hyperdecoder::HyperdecoderConfig;
pub use init::HyperInit;
pub use new_task::{is_of_task, new_task};
pub use roles::RoleGroup;

/// The program of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
