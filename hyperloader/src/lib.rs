//! HyperLoader: one hypernetwork generates the LoRA, adapter and layer-norm weights of a multi-task T5 for sequence
//! labelling (arXiv 2407.01411), on top of a toolkit that mixes any PEFT method with any source of weights.
//!
//! - [`t5`] is the backbone; it names its sites and knows no PEFT method. [`decode`] writes text with it.
//! - [`model`] puts methods and a generator of weights on it: [`model::PeftT5`].
//! - [`tasks`] reads corpora, [`train`] trains, [`eval`] labels and scores, [`pretrain`] makes a backbone from plain text.
//! - [`compile`] makes one task of a trained model a model of its own, [`export`] files that Python loads.
//! - [`authors`] reads the checkpoints of the paper's authors.
//! - [`session`] composes these into what the command's verbs do; [`config`] is the file that says what to do.
//! - [`optim`], [`telemetry`], [`files`] and [`run`] serve them.

// Linking is what registers a crate's methods and generators with typetag; a dependency that no code names is not linked.
use peft_adapter as _;
use peft_hyper as _;
use peft_lora as _;

pub mod authors;
pub mod cli;
pub mod compile;
pub mod config;
pub mod decode;
pub mod eval;
pub mod export;
pub mod files;
pub mod model;
pub mod optim;
pub mod predict;
pub mod pretrain;
pub mod quickstart;
pub mod run;
pub mod session;
pub mod t5;
pub mod tasks;
pub mod telemetry;
pub mod train;

mod error;

/// The README's example is a doctest.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub use error::{Error, Result};
