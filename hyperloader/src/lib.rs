//! HyperLoader fine-tunes one T5 for several tasks of sequence labelling: one hypernetwork generates the weights of LoRA,
//! adapters and layer norms for each task (arXiv 2407.01411). The crate is also the top of a toolkit for parameter-efficient
//! fine-tuning (PEFT), in which every method works with every source of weights.
//!
//! This program puts two methods on a T5, trains them, saves them and labels a sentence. `t5_folder` holds a T5 with its
//! tokenizer:
//!
//! ```
//! use hyperloader::prelude::*;
//! # let folder = std::env::temp_dir().join(format!("hyperloader-lib-{}", std::process::id()));
//! # let (t5_folder, adapter_folder) = (folder.join("t5"), folder.join("adapter"));
//! # let options = datasets::tokenizer::TrainOptions { vocab_size: 150, keep_words: ["O", "I", "city"].map(String::from).into() };
//! # let trained = datasets::tokenizer::train_unigram(["book a flight to Oslo", "play some jazz in the north"], &options)?;
//! # let (shape, words) = (preset("t5-small").ok_or("no such shape")?, trained.vocab_size());
//! # let shape = T5Config { vocab_size: words, d_model: 16, d_kv: 8, num_heads: 2, num_layers: 1, num_decoder_layers: 1, ..shape };
//! # peft_t5::save_backbone(&T5::random(&shape, 0)?, &t5_folder)?;
//! # trained.save(t5_folder.join("tokenizer.json"))?;
//!
//! let t5 = T5::from_pretrained(&t5_folder, &Device::Cpu)?; // or a name on the hub: "t5-small"
//! let tokenizer = T5Tokenizer::load(&t5_folder)?;
//! let model = PeftModel::builder(t5)
//!     .method(LoraConfig::new(4).alpha(8.).target_modules(["q", "v"]))
//!     .method(BottleneckConfig::par_bn())
//!     .tasks(["ner", "slots"])
//!     .generator(HyperConfig::default()) // without tasks and generator: one task with plain variables, as in `peft`
//!     .seed(42)
//!     .build()?;
//! println!("{}", model.trainable_parameters()?);
//!
//! let sentences = [Example::new(["fly", "to", "Oslo"], ["O", "O", "B-city"])];
//! let batch = labelling_batch(&sentences, &tokenizer, &Device::Cpu)?;
//! let mut optimizer = AdamW::new(model.vars(), AdamWConfig::default())?;
//! for step in 0..10 {
//!     let loss = model.loss(&batch, "ner", &mut Ctx::train(42, step))?;
//!     optimizer.backward_step(&loss, 1e-3)?;
//! }
//! model.save_pretrained(&adapter_folder)?;
//!
//! let model = PeftModel::from_pretrained(&adapter_folder, &Device::Cpu)?;
//! for sentence in model.labeller("ner", &tokenizer, &["city"])?.label(["book a flight to Oslo"])? {
//!     println!("{:?}", sentence.spans()?);
//! }
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | you want to | look at |
//! |---|---|
//! | put methods on a T5, train it, save it and open it again | [`prelude`], [`model`], [`peft_core::PeftModel`], [`optim`] |
//! | label sentences, score labels | [`label`], [`eval`] |
//! | read tagged corpora, train a tokenizer | the crate [`datasets`]; [`tasks`] for the corpora of a configuration |
//! | exchange folders with Python's `peft` and AdapterHub | [`model::FromPretrained`], [`peft_adapter::files`], [`export`] |
//! | do what the command does | [`session`], with a [`config`]; [`quickstart`], [`predict`], [`compile`], [`pretrain`], [`reproduce`], [`mod@bench`] |
//! | label texts over HTTP | `serve` |
//! | see runs as one page, analyze errors | [`report`], [`analysis`] |
//! | run your own training loop with checkpoints | [`train`], [`run`], [`files`], [`telemetry`] |
//! | read the checkpoints of the paper's authors | [`paper_checkpoint`] |
//!
//! The features `cli` (the command), `hub` (models by their names on the Hugging Face hub), `progress` (a progress bar) and `serve` (the
//! server) are on by default. The features `cuda` and `metal` build for a GPU.

// A crate registers its methods and generators with typetag only if it is linked, and only a crate that is named is linked.
use peft_adapter as _;
use peft_hyper as _;
use peft_lora as _;

pub mod analysis;
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
pub mod prelude;
pub mod pretrain;
pub mod quickstart;
pub mod report;
pub mod reproduce;
pub mod run;
#[cfg(feature = "serve")]
pub mod serve;
pub mod session;
pub mod shards;
pub mod tasks;
pub mod telemetry;
pub mod train;

mod error;
mod shell;

/// The program of the crate's README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The program of the project's README is compiled. It needs a trained T5, so the one in the documentation above runs instead.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ProjectReadme;

/// The program of this chapter of the book is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/labelling.md")]
struct LabellingText;

/// The programs of the guide are compiled, and all except the last are run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/wrapping-a-model.md")]
struct WrappingAModel;

/// The program of this chapter of the book is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/candle-models.md")]
struct CandleModels;

pub use error::{Error, Result};
