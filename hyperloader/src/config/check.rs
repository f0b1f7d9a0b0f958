//! Checks that types cannot express: ranges, and values that must fit together.

use std::collections::BTreeMap;
use std::fmt;

use datasets::labels::{TagMap, TagWords};
use datasets::words::WordSplitter;

use super::data::DataConfig;
use super::eval::EvalConfig;
use super::model::ModelConfig;
use super::pretrain::PretrainConfig;
use super::root::Config;
use super::sizes::{MOST_FEATURES, too_large};
use super::task::TaskConfig;
use super::train::TrainConfig;
use crate::{Error, Result};

/// A wrong value, with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Issue {
    /// The dotted key, with indices: `tasks.1.name`.
    pub(super) key: String,
    /// The value, and what was expected.
    pub(super) reason: String,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}

impl Config {
    /// Checks that the values can work together; [`Config::load`] does so too.
    ///
    /// # Errors
    /// [`Error::Config`] with the key.
    pub fn validate(&self) -> Result<()> {
        match first_issue(self) {
            None => Ok(()),
            Some(issue) => Err(Error::Config(issue.to_string())),
        }
    }
}

/// The largest batch, width or length of a text in tokens.
const MOST_ROWS: usize = 1_000_000;
/// The largest number of layers.
const MOST_LAYERS: usize = 10_000;
/// The largest number of beams, or of sequences that `--n-best` writes.
pub(crate) const MOST_BEAMS: usize = 1_000;

type Check = std::result::Result<(), Issue>;

/// The first wrong value of `config`, if any.
pub(super) fn first_issue(config: &Config) -> Option<Issue> {
    let all = || {
        model(&config.model)?;
        data(&config.data)?;
        tasks(&config.tasks)?;
        sizes(config)?;
        train(&config.train)?;
        length_buckets(config)?;
        eval(&config.eval)?;
        config.pretrain.as_ref().map_or(Ok(()), pretrain)
    };
    all().err()
}

fn expect(good: bool, key: &str, reason: impl FnOnce() -> String) -> Check {
    if good {
        return Ok(());
    }
    Err(Issue { key: key.to_owned(), reason: reason() })
}

fn number(good: bool, key: &str, value: f64, expected: &str) -> Check {
    expect(good, key, || format!("{value} is out of range; expected {expected}"))
}

/// `value` is a finite number above 0.
fn positive(key: &str, value: f64) -> Check {
    number(value.is_finite() && value > 0.0, key, value, "a finite number above 0")
}

/// `value` is a share below 1.
fn below_one(key: &str, value: f64) -> Check {
    number((0.0..1.0).contains(&value), key, value, "0 or more and below 1")
}

/// `value` is a share.
fn share(key: &str, value: f64) -> Check {
    number((0.0..=1.0).contains(&value), key, value, "a number from 0 to 1")
}

fn warmup(key: &str, warmup_steps: usize, max_steps: usize) -> Check {
    expect(warmup_steps <= max_steps, &format!("{key}.warmup_steps"), || {
        format!("{warmup_steps} steps of warm-up are more than {key}.max_steps = {max_steps}")
    })
}

fn optimizer(key: &str, config: &crate::optim::AdamWConfig) -> Check {
    config.validate().map_err(|e| Issue { key: format!("{key}.optimizer"), reason: e.to_string() })
}

fn model(model: &ModelConfig) -> Check {
    expect(!model.name.trim().is_empty(), "model.name", || {
        "empty; expected a folder, a hub id or config:SHAPE".to_owned()
    })?;
    model.dropout_rate.map_or(Ok(()), |rate| below_one("model.dropout_rate", rate))
}

fn data(data: &DataConfig) -> Check {
    number(
        data.temperature > 0.0,
        "data.temperature",
        data.temperature,
        "a number above 0 (1 is proportional to size, inf uniform)",
    )?;
    let fraction = data.fraction;
    let good = fraction > 0.0 && fraction <= 1.0;
    number(good, "data.fraction", fraction, "a number above 0, at most 1")?;
    at_most("data.max_source_length", data.max_source_length.get(), MOST_ROWS)?;
    at_most("data.max_target_length", data.max_target_length.get(), MOST_ROWS)?;
    let splitter = WordSplitter::new(&data.words).map(drop);
    splitter.map_err(|e| Issue { key: "data.words.pattern".to_owned(), reason: e.to_string() })
}

fn length_buckets(config: &Config) -> Check {
    let weighed = config.train.loss_reduction == peft_kernels::Reduction::Mean;
    expect(!weighed || config.data.length_buckets != Some(true), "data.length_buckets", || {
        "cannot be true with train.loss_reduction = \"mean\": each micro-batch counts the same there, so that sorting by \
         length would give words of short sentences more weight; leave it out or use \"sum\""
            .to_owned()
    })
}

fn tasks(tasks: &[TaskConfig]) -> Check {
    let mut seen = BTreeMap::new();
    for (i, task) in tasks.iter().enumerate() {
        let key = format!("tasks.{i}.name");
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        expect(!task.name.is_empty() && task.name.chars().all(plain), &key, || {
            format!("{:?} cannot name a task; use letters, digits, `_` and `-`", task.name)
        })?;
        if let Some(first) = seen.insert(task.name.as_str(), i) {
            return expect(false, &key, || format!("{:?} is already the name of task {first}", task.name));
        }
        expect(!task.train.as_os_str().is_empty(), &format!("tasks.{i}.train"), || {
            "empty; expected a file, or a folder with seq.in and seq.out".to_owned()
        })?;
        let tags = TagMap::new(task.tag_map.clone()).map(drop);
        tags.map_err(|e| Issue { key: format!("tasks.{i}.tag_map"), reason: e.to_string() })?;
        tag_words(i, task)?;
    }
    Ok(())
}

fn tag_words(i: usize, task: &TaskConfig) -> Check {
    let checked = TagWords::new(task.tag_words.clone());
    checked.map(drop).map_err(|e| Issue { key: format!("tasks.{i}.tag_words"), reason: e.to_string() })
}

/// No size of a method or generator is so large that memory runs out.
fn sizes(config: &Config) -> Check {
    let methods = config.peft.iter().enumerate().map(|(i, method)| too_large(&format!("peft.{i}"), method));
    let mut found = methods.chain([too_large("generator", &config.generator)]).flatten();
    match found.next() {
        None => Ok(()),
        Some((key, value)) => {
            expect(false, &key, || format!("{value} is out of range; expected {MOST_FEATURES} at most"))
        }
    }
}

/// `value` is not so large that memory runs out before anything else can be checked.
fn at_most(key: &str, value: usize, largest: usize) -> Check {
    expect(value <= largest, key, || format!("{value} is out of range; expected {largest} at most"))
}

fn train(train: &TrainConfig) -> Check {
    at_most("train.batch_size", train.batch_size.get(), MOST_ROWS)?;
    at_most("train.gradient_accumulation_steps", train.gradient_accumulation_steps.get(), MOST_ROWS)?;
    warmup("train", train.warmup_steps, train.max_steps.get())?;
    positive("train.learning_rate", train.learning_rate)?;
    below_one("train.label_smoothing", train.label_smoothing)?;
    positive("train.max_grad_norm", train.max_grad_norm)?;
    optimizer("train", &train.optimizer)
}

fn eval(eval: &EvalConfig) -> Check {
    at_most("eval.batch_size", eval.batch_size.get(), MOST_ROWS)?;
    at_most("eval.max_length", eval.max_length.get(), MOST_ROWS)?;
    at_most("eval.num_beams", eval.num_beams.get(), MOST_BEAMS)?;
    let penalty = eval.length_penalty;
    number(penalty.is_finite(), "eval.length_penalty", penalty, "a finite number")
}

fn pretrain(pretrain: &PretrainConfig) -> Check {
    expect(pretrain.shape.is_none() || pretrain.config.is_none(), "pretrain.config", || {
        "cannot be given together with [pretrain.shape]; give one of the two".to_owned()
    })?;
    at_most("pretrain.batch_size", pretrain.batch_size.get(), MOST_ROWS)?;
    at_most("pretrain.max_length", pretrain.max_length.get(), MOST_ROWS)?;
    at_most("pretrain.vocab_size", pretrain.vocab_size.get(), MOST_ROWS * 10)?;
    if let Some(shape) = &pretrain.shape {
        let sizes =
            [("d_model", shape.d_model), ("d_kv", shape.d_kv), ("d_ff", shape.d_ff), ("num_heads", shape.num_heads)];
        sizes.iter().try_for_each(|(key, size)| at_most(&format!("pretrain.shape.{key}"), size.get(), MOST_ROWS))?;
        at_most("pretrain.shape.num_layers", shape.num_layers.get(), MOST_LAYERS)?;
        let decoder = shape.num_decoder_layers.map_or(0, |layers| layers.get());
        at_most("pretrain.shape.num_decoder_layers", decoder, MOST_LAYERS)?;
        let vocabulary = shape.vocab_size.map_or(0, |size| size.get());
        at_most("pretrain.shape.vocab_size", vocabulary, MOST_ROWS * 10)?;
        below_one("pretrain.shape.dropout_rate", shape.dropout_rate)?;
    }
    let density = pretrain.noise_density;
    let good = density > 0.0 && density < 1.0;
    number(good, "pretrain.noise_density", density, "a number above 0 and below 1")?;
    let length = pretrain.mean_span_length;
    let good = length.is_finite() && length >= 1.0;
    number(good, "pretrain.mean_span_length", length, "a finite number, 1 or more")?;
    share("pretrain.copy_fraction", pretrain.copy_fraction)?;
    share("pretrain.word_noise", pretrain.word_noise)?;
    share("pretrain.copy_stretch", pretrain.copy_stretch)?;
    warmup("pretrain", pretrain.warmup_steps, pretrain.max_steps.get())?;
    positive("pretrain.learning_rate", pretrain.learning_rate)?;
    below_one("pretrain.label_smoothing", pretrain.label_smoothing)?;
    positive("pretrain.max_grad_norm", pretrain.max_grad_norm)?;
    optimizer("pretrain", &pretrain.optimizer)
}
