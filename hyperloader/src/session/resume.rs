//! What `--resume` may change: the run's configuration is compared with the new one.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{info, warn};

use crate::config::Config;
use crate::run::{ADAPTER_FILE, MODEL_FILE, RunDir};
use crate::train::{Inputs, Ranks, inputs_of, ranks_of};
use crate::{Error, Result};

/// The verb that continues a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Train,
    Adapt,
    Pretrain,
}

/// The input that only runs of `adapt` have: the weights that they adapt.
pub(super) const ADAPTED: &str = "adapt.run";

/// What a changed key means.
enum Rule {
    /// It changes nothing in the training that was done.
    Free,
    /// It names content whose hash the checkpoint keeps under this key, and the hashes are compared.
    SameContent(String),
    /// The rest of the run would not be the run that began.
    Fixed,
}

/// Compares `config` with the configuration of `run`, whose checkpoint of `step` is continued. Allowed changes are reported.
///
/// # Errors
/// [`Error::Config`] with the keys that must not change, and both values of each.
pub(super) fn require_same(run: &RunDir, step: usize, config: &Config, verb: Verb, ranks: &Ranks) -> Result<()> {
    let kept = inputs_of(&run.checkpoint(step))?;
    require_verb(run, step, verb, &kept)?;
    let path = run.config();
    if !path.exists() {
        warn!("{} does not exist, so the configuration is not compared with that of the run", path.display());
        return Ok(());
    }
    let (old, new) = (keys_of(&Config::load(&path, &[])?)?, keys_of(config)?);
    let mut refused = String::new();
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (before, now) = (old.get(key), new.get(key));
        if before == now {
            continue;
        }
        let change = format!("{key}: {} in the run, {} now", shown(before), shown(now));
        let judged = match key.as_str() {
            MICRO_BATCHES if keeps_batch(before, now, ranks_of(&run.checkpoint(step))?, ranks) => Ok(()),
            _ => judge(verb, key, &kept),
        };
        match judged {
            Ok(()) => info!("{}: {change}", run.root().display()),
            Err(reason) => refused += &format!("\n  {change}{reason}"),
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(Error::Config(format!(
        "--resume continues a run as it began, and these keys differ from {}:{refused}\nSet them back, or give another --out for a \
         new run",
        path.display()
    )))
}

const MICRO_BATCHES: &str = "train.gradient_accumulation_steps";

/// Whether a step of all ranks has as many micro-batches as before.
fn keeps_batch(before: Option<&toml::Value>, now: Option<&toml::Value>, ranks_before: usize, ranks: &Ranks) -> bool {
    let of_all =
        |value: Option<&toml::Value>, ranks: usize| value?.as_integer()?.checked_mul(i64::try_from(ranks).ok()?);
    let before = of_all(before, ranks_before);
    before.is_some() && before == of_all(now, ranks.size().get())
}

/// Refuses the folder of another verb, which differs in most keys. The weights tell them apart: a configuration may have both
/// `[pretrain]` and `[[tasks]]`.
fn require_verb(run: &RunDir, step: usize, verb: Verb, kept: &Inputs) -> Result<()> {
    let is_adapted = kept.contains_key(ADAPTED);
    let holds = |name: &str| run.checkpoint(step).join(name).exists();
    let message = match verb {
        Verb::Train if holds(MODEL_FILE) && !holds(ADAPTER_FILE) => {
            "this is a folder of pretrain, and train cannot continue it; continue it with hyperloader pretrain --resume, or train on its \
             backbone: give another --out, and this folder as model.name"
        }
        Verb::Pretrain if holds(ADAPTER_FILE) && !holds(MODEL_FILE) => {
            "this is a folder of train, and pretrain cannot continue it; continue it with hyperloader train --resume, or give another \
             --out"
        }
        Verb::Adapt if holds(MODEL_FILE) && !holds(ADAPTER_FILE) => {
            "this is a folder of pretrain, and adapt cannot continue it; give another --out"
        }
        Verb::Train if is_adapted => {
            "this is a folder of adapt, in which one task trains; continue it with hyperloader adapt --resume, or give another --out"
        }
        Verb::Adapt if !is_adapted => {
            "this is a folder of train, and adapt cannot continue it; continue it with hyperloader train --resume, or give another \
             --out"
        }
        Verb::Train | Verb::Adapt | Verb::Pretrain => return Ok(()),
    };
    Err(Error::Config(format!("{}: {message}", run.root().display())))
}

/// Whether `key` may change; if not, what else there is to say about it.
fn judge(verb: Verb, key: &str, kept: &Inputs) -> Result<(), &'static str> {
    match rule(verb, key) {
        Rule::Free => Ok(()),
        Rule::SameContent(input) if kept.contains_key(&input) => Ok(()),
        Rule::SameContent(_) => Err(" (the checkpoint keeps no hash of the content, so it cannot be compared)"),
        Rule::Fixed => Err(""),
    }
}

fn rule(verb: Verb, key: &str) -> Rule {
    let parts: Vec<&str> = key.split('.').collect();
    match verb {
        Verb::Train | Verb::Adapt => training_rule(&parts),
        Verb::Pretrain => pretraining_rule(&parts),
    }
}

fn training_rule(key: &[&str]) -> Rule {
    match key {
        ["pretrain" | "eval", ..] | ["data", "cache" | "cache_dir"] | ["tasks", _, "validation" | "test"] => Rule::Free,
        // It acts where text is labelled, and the words of training sentences are in their files.
        ["data", "words", _] => Rule::Free,
        ["train", "output_dir" | "max_steps" | "save_steps" | "save_total_limit" | "logging_steps"] => Rule::Free,
        ["train", "eval_steps" | "eval_sentences" | "select_best"] => Rule::Free,
        ["model", "name" | "tokenizer"] => Rule::SameContent(key.join(".")),
        ["tasks", _, "name" | "prefix" | "tag_map" | "tag_words", ..] => Rule::Fixed,
        // Where the sentences are, and how they are read from there.
        ["tasks", number, ..] => Rule::SameContent(format!("tasks.{number}.train")),
        _ => Rule::Fixed,
    }
}

fn pretraining_rule(key: &[&str]) -> Rule {
    let same = |input: &str| Rule::SameContent(input.to_owned());
    match key {
        ["pretrain", "output_dir" | "max_steps" | "save_steps" | "logging_steps"] => Rule::Free,
        ["pretrain", "text" | "tokenizer"] => Rule::SameContent(key.join(".")),
        ["pretrain", "config"] | ["model", "name"] => same("pretrain.shape"),
        ["model", "tokenizer"] => same("pretrain.tokenizer"),
        ["data", "cache" | "cache_dir"] | ["data", "words", _] | ["tasks", _, "validation" | "test"] => Rule::Free,
        ["data" | "tasks", ..] => same("pretrain.text"),
        ["seed"] | ["pretrain" | "model", ..] | ["train", "kernels"] => Rule::Fixed,
        _ => Rule::Free,
    }
}

/// The values of a configuration by their dotted keys.
pub(super) fn keys_of(config: &Config) -> Result<BTreeMap<String, toml::Value>> {
    let table: toml::Table = toml::from_str(&config.to_toml()?)
        .map_err(|e| Error::Internal(format!("a resolved configuration cannot be read: {e}")))?;
    let mut keys = BTreeMap::new();
    flatten(String::new(), toml::Value::Table(table), &mut keys);
    Ok(keys)
}

fn flatten(key: String, value: toml::Value, keys: &mut BTreeMap<String, toml::Value>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                flatten(below(&name), value, keys);
            }
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            for (number, value) in items.into_iter().enumerate() {
                flatten(below(&number.to_string()), value, keys);
            }
        }
        value => _ = keys.insert(key, value),
    }
}

fn shown(value: Option<&toml::Value>) -> String {
    value.map_or_else(|| "not set".to_owned(), toml::Value::to_string)
}

#[cfg(test)]
mod tests;
