//! The configuration of a model: a system at a scale on corpora.

use std::path::Path;

use toml::{Table, Value};

use super::corpora::CorpusSource;
use super::scale::{Kind, ScaleSettings};
use super::systems::System;
use crate::config::Config;
use crate::files::unicode;
use crate::{Error, Result};

/// The configuration of `system` at `scale` on all `corpora` in `data`: one model for all of them. Steps are those of the scale or,
/// where it sets none, of the system.
///
/// What the system's file sets counts more than the defaults, and what the scale sets more than that.
///
/// # Errors
/// [`Error::Internal`] if the result is no configuration; [`Error::Config`] if the path of the data is no text.
pub fn compose(system: &System, scale: &ScaleSettings, corpora: &[CorpusSource], data: &Path) -> Result<Config> {
    let mut table = system.config.clone();
    if let Some(rate) = scale.learning_rate.get(&kind(system)) {
        merge(&mut table, &Table::from_iter([("train".to_owned(), Value::Table(rate_of(*rate)))]));
    }
    if let Some(name) = &scale.backbone {
        let model = Table::from_iter([("name".to_owned(), name.as_str().into())]);
        merge(&mut table, &Table::from_iter([("model".to_owned(), Value::Table(model))]));
    }
    merge(&mut table, &scale.config);
    for method in table.get_mut("peft").and_then(Value::as_array_mut).into_iter().flatten() {
        merge_named(method, "peft_type", &scale.methods);
    }
    if let Some(generator) = table.get_mut("generator") {
        merge_named(generator, "generator", &scale.generators);
    }
    let tasks: Vec<Value> = corpora.iter().map(|corpus| task(corpus, system, data)).collect::<Result<_>>()?;
    table.insert("tasks".to_owned(), Value::Array(tasks));
    let text = toml::to_string(&table).map_err(|e| Error::Internal(format!("system {}: {e}", system.name)))?;
    Config::from_toml(&text).map_err(|e| Error::Internal(format!("system {}: {e}", system.name)))
}

/// What `system` trains.
fn kind(system: &System) -> Kind {
    let text = |table: &str, key: &str| system.config.get(table)?.get(key)?.as_str().map(str::to_owned);
    let mut methods = system.config.get("peft").and_then(Value::as_array).into_iter().flatten();
    let is_lora = methods.all(|method| method.get("peft_type").and_then(Value::as_str) == Some("LORA"));
    match (text("generator", "generator").as_deref(), text("model", "trainable").as_deref()) {
        (_, Some("all")) => Kind::Full,
        (None | Some("static"), _) if is_lora => Kind::Lora,
        (None | Some("static"), _) => Kind::Static,
        (Some(_), _) => Kind::Hypernetwork,
    }
}

fn rate_of(rate: f64) -> Table {
    Table::from_iter([("learning_rate".to_owned(), rate.into())])
}

/// Adds the keys of `settings` that the table under the name in `key` has.
fn merge_named(value: &mut Value, key: &str, settings: &std::collections::BTreeMap<String, Table>) {
    let Some(table) = value.as_table_mut() else { return };
    let named = table.get(key).and_then(Value::as_str).and_then(|name| settings.get(name));
    if let Some(more) = named {
        merge(table, more);
    }
}

/// Puts what `more` holds into `table`: tables are merged, other values replaced.
fn merge(table: &mut Table, more: &Table) {
    for (key, value) in more {
        match (table.get_mut(key), value) {
            (Some(Value::Table(own)), Value::Table(value)) => merge(own, value),
            _ => _ = table.insert(key.clone(), value.clone()),
        }
    }
}

fn task(corpus: &CorpusSource, system: &System, data: &Path) -> Result<Value> {
    let mut table = corpus.settings.clone();
    table.insert("name".to_owned(), corpus.name.as_str().into());
    for (split, path) in [("train", &corpus.train), ("validation", &corpus.validation), ("test", &corpus.test)] {
        table.insert(split.to_owned(), unicode(&data.join(path))?.into());
    }
    if system.prefix {
        table.insert("prefix".to_owned(), corpus.name.replace('_', " ").into());
    }
    Ok(Value::Table(table))
}
