//! One hypernetwork generates the weights of LoRA, adapters and layer norms of a multi-task T5, and the T5 labels entities and
//! slots, text to text (arXiv 2407.01411). Around it is a toolkit in which every method for parameter-efficient fine-tuning works
//! with every source of weights.
//!
//! ```
//! use hyperloader::prelude::*;
//! # let folder = std::env::temp_dir().join(format!("hyperloader-lib-{}", std::process::id()));
//! # let (tiny, mine) = (folder.join("t5"), folder.join("mine"));
//! # let options = datasets::tokenizer::TrainOptions { vocab_size: 150, keep_words: ["O", "I", "city", "genre"].map(String::from).into() };
//! # let tokenizer = datasets::tokenizer::train_unigram(["book a flight to Oslo", "play some jazz in the north"], &options)?;
//! # let (shape, words) = (preset("t5-small").ok_or("no such shape")?, tokenizer.vocab_size());
//! # let shape = T5Config { vocab_size: words, d_model: 16, d_kv: 8, num_heads: 2, num_layers: 1, num_decoder_layers: 1, ..shape };
//! # peft_t5::save_backbone(&T5::random(&shape, 0)?, &tiny)?;
//! # let batches = [("ner", labelling_batch(&[Example::new(["to", "Oslo"], ["O", "B-city"])], &tokenizer, &Device::Cpu)?)];
//! # let batches = batches.into_iter();
//!
//! let t5 = T5::from_pretrained(&tiny, &Device::Cpu)?; // a folder, or a name of the hub such as "t5-small"
//! let model = PeftModel::builder(t5)
//!     .method(LoraConfig::new(4).alpha(8.).target_modules(["q", "v"]))
//!     .method(BottleneckConfig::par_bn())
//!     .tasks(["ner", "slots"])
//!     .generator(HyperConfig::default()) // leave tasks and generator out: static weights, one task
//!     .seed(42)
//!     .build()?;
//! println!("{}", model.trainable_parameters()?);
//!
//! let mut optimizer = AdamW::new(model.vars(), AdamWConfig::default())?;
//! for (step, (task, batch)) in batches.enumerate() {
//!     let loss = model.loss(&batch, task, &mut Ctx::train(42, step as u64))?;
//!     optimizer.backward_step(&loss, 1e-3)?;
//! }
//! model.save_pretrained(&mine)?;
//!
//! let model = PeftModel::from_pretrained(&mine, &Device::Cpu)?;
//! let tags = ["O", "I", "city", "genre"];
//! println!("{:?}", model.labeller("ner", &tokenizer, &tags)?.label(["book a flight to Oslo"])?);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | you want to | look at |
//! |---|---|
//! | put methods on a T5, train, save and open it | [`prelude`], [`model`], [`peft_core::PeftModel`], [`optim`] |
//! | label sentences, score labels | [`label`], [`eval`] |
//! | exchange folders with Python's `peft` and AdapterHub | [`model::FromPretrained`], [`peft_adapter::files`], [`export`] |
//! | do what the command does | [`session`], with a [`config`]; [`quickstart`], [`predict`], [`compile`], [`pretrain`] |
//! | run your own training loop with checkpoints | [`train`], [`run`], [`files`], [`telemetry`] |
//! | read the checkpoints of the paper's authors | [`paper_checkpoint`] |
//!
//! The features `cli` (the command), `hub` (models by their names on the Hugging Face hub) and `progress` (a progress bar) are on by
//! default.

// A crate registers its methods and generators with typetag only if it is linked, and only a crate that is named is linked.
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
pub mod prelude;
pub mod pretrain;
pub mod quickstart;
pub mod run;
pub mod session;
pub mod tasks;
pub mod telemetry;
pub mod train;

mod error;

/// The README's program runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub use error::{Error, Result};
