//! Data for sequence labelling as a text-to-text task: from the files people have to the ids a T5 reads, and from
//! the words it writes to span scores.
//!
//! # The road
//!
//! ```text
//! files ── read ──> tokens + BIO tags ── labels ──> words ── encode ──> ids ──> T5
//!                       │                                                        │
//!                     sample: which task, which sentences                      words
//!                       │                                                        │
//! scores <── metrics ── BIO tags <──────────────── labels ───────────────────────┘
//! ```
//!
//! 1. **[`read`]** finds out what a file is (two-column BIO, `seq.in`/`seq.out`, mTOD and mTOP, CSV, Parquet, JSON
//!    Lines) and makes a [`Dataset`] of it. Nothing is guessed about bad input: it is an error
//!    that names file, line and reason, or is skipped, counted and listed if that was asked for.
//! 2. **[`labels`]** turns BIO tags into one word per token (`B-city I-city` → `city I`) and whatever a model
//!    wrote back into BIO.
//! 3. **[`tokenizer`]** and **[`encode`]** put words and tags between sentinels,
//!    `<extra_id_0> to <extra_id_1> rome <extra_id_2>`, and make ids of them.
//! 4. **[`sample`]** decides which task a training step sees and which sentences of it; it also makes the smaller
//!    splits of low-resource experiments. Its numbers come from a seed, and its state goes into a checkpoint.
//! 5. **[`metrics`]** counts whole spans, as `seqeval` does, in both of its modes.
//! 6. **[`noise`]** makes the pretraining tasks that prepare a small T5 for all this.
//!
//! The crate knows nothing of models or of parameter-efficient fine-tuning.
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
//! // What the model should write, and what it did write (it missed the second word of the name).
//! assert_eq!(labels::simplify(gold)?, ["O", "city", "I", "O", "city"]);
//! let predicted = labels::decode("O city O O city", gold.len());
//!
//! let report = metrics::score(&[gold], &[&predicted], metrics::Mode::Default)?;
//! assert_eq!((report.micro_precision, report.micro_recall), (0.5, 0.5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Many tasks
//!
//! A multi-task run draws a task per step, p_i ∝ (n_i / N)^(1/T), then sentences of it, both with replacement:
//!
//! ```
//! use datasets::sample::TaskSampler;
//!
//! let mut sampler = TaskSampler::new(&[30_521, 4_478], 10.0, 42)?;
//! let task = sampler.next_task();
//! let sentences = sampler.next_items(task, 32)?;
//! assert_eq!(sentences.len(), 32);
//!
//! // Later, perhaps in another process: the very same numbers follow.
//! let saved = sampler.state();
//! let mut resumed = TaskSampler::new(&[30_521, 4_478], 10.0, 42)?;
//! resumed.restore(saved)?;
//! assert_eq!(resumed.next_task(), sampler.next_task());
//! # Ok::<(), datasets::Error>(())
//! ```

pub mod encode;
pub mod error;
pub mod labels;
pub mod metrics;
pub mod noise;
pub mod read;
pub mod sample;
pub mod tokenizer;

pub use error::{Error, Place, Result};
pub use read::{Dataset, Example};
