//! Data for sequence labelling with text-to-text models such as T5: reads tagged corpora, encodes sentences as token ids,
//! and scores predicted tags.
//!
//! Sequence labelling gives each token of a sentence a tag, for example to find names and places. A text-to-text model
//! solves it by writing one tag word for each token. This crate knows nothing of models or of fine-tuning.
//!
//! ```text
//! files ── read ──> tokens + BIO tags ── labels ──> words ── encode ──> ids ──> model
//!                       │                                                        │
//!                     sample: which task, which sentences                      words
//!                       │                                                        │
//! scores <── metrics ── BIO tags <──────────────── labels ───────────────────────┘
//! ```
//!
//! 1. **[`read`]** detects the format of a file (two-column BIO, `seq.in`/`seq.out`, mTOD and mTOP, CSV, Parquet, JSON
//!    Lines) and reads it as a [`Dataset`]. Bad input is an error with file, line and reason. On request it is
//!    skipped, counted and listed instead.
//! 2. **[`labels`]** turns BIO tags into one word per token (`B-city I-city` → `city I`), and the words that a model
//!    wrote back into BIO tags.
//! 3. **[`tokenizer`]** and **[`encode`]** write words and tags between sentinels,
//!    `<extra_id_0> to <extra_id_1> rome <extra_id_2>`, and turn them into ids.
//! 4. **[`sample`]** draws the task of each training step and the sentences of its batch. It also makes smaller data
//!    sets for low-resource experiments. All numbers come from a seed, and a checkpoint can save the state.
//! 5. **[`metrics`]** scores whole spans as `seqeval` does, in both of its modes.
//! 6. **[`noise`]** makes the pretraining tasks that prepare a small T5 for sequence labelling.
//! 7. **[`words`]** finds the words and sentences of raw text that is to be labelled.
//!
//! # From a file to a score
//!
//! ```
//! use datasets::read::{ReadOptions, read};
//! use datasets::{labels, metrics};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("test.bio");
//! # std::fs::write(&path, "O\tfrom\nB-city\tlos\nI-city\tangeles\nO\tto\nB-city\trome\n")?;
//! let test = read(&path, &ReadOptions::default())?;
//! let gold = &test.examples[0].tags;
//!
//! // The words that the model should write, and the words that it wrote: it missed the second word of the name.
//! assert_eq!(labels::simplify(gold)?, ["O", "city", "I", "O", "city"]);
//! let predicted = labels::decode("O city O O city", gold.len());
//!
//! let report = metrics::score(&[gold], &[&predicted], metrics::ScoringMode::Default)?;
//! assert_eq!((report.micro_precision, report.micro_recall), (0.5, 0.5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Several tasks
//!
//! A multi-task run draws a task for each step with p_i ∝ (n_i / N)^(1/T), and then sentences of that task, both with
//! replacement:
//!
//! ```
//! use datasets::sample::TaskSampler;
//!
//! let mut sampler = TaskSampler::new(&[30_521, 4_478], 10.0, 42)?;
//! let task = sampler.next_task();
//! let sentences = sampler.next_items(task, 32)?;
//! assert_eq!(sentences.len(), 32);
//!
//! // A restored sampler continues with the same numbers, in this or another process.
//! let saved = sampler.state();
//! let mut resumed = TaskSampler::new(&[30_521, 4_478], 10.0, 42)?;
//! resumed.restore(saved)?;
//! assert_eq!(resumed.next_task(), sampler.next_task());
//! # Ok::<(), datasets::Error>(())
//! ```
//!
//! # Features
//!
//! - `tables` (on by default): CSV, Parquet and data frames, by polars. Without it the crate builds much faster, and
//!   reading or writing a table is an [`Error::WithoutTables`].

pub mod encode;
pub mod error;
mod example;
pub mod labels;
pub mod metrics;
pub mod noise;
pub mod read;
pub mod sample;
pub mod tokenizer;
pub mod words;

pub use error::{Error, Place, Result};
pub use example::Example;
pub use read::Dataset;

/// Runs the program in the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
