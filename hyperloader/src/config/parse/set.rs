//! `--set key=value`: one key of the tree changed.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::spans::shift;

/// One part of a dotted key, with its span.
struct Step {
    name: String,
    span: Range<usize>,
}

/// Sets the key of the override `text`, which begins at offset `start`, to its value.
///
/// The key is dotted as in TOML, with the index of a table in a list: `tasks.0.train`. The index after the last one adds a
/// table. The value is TOML; a value that is not valid TOML is a string.
pub(super) fn apply<'a>(root: &mut Spanned<DeValue<'a>>, text: &'a str, start: usize) -> Result<(), String> {
    let usage = "expected key=value, with a dotted key such as train.max_steps";
    let (key, value) = text.split_once('=').ok_or(usage)?;
    let steps = steps(key, start).ok_or(usage)?;
    let lead = value.len() - value.trim_start().len();
    let offset = start + key.len() + 1 + lead;
    let value = value.trim();
    let value = match DeValue::parse(value) {
        Ok(parsed) => shift(parsed, offset),
        Err(_) => Spanned::new(offset..offset + value.len(), DeValue::String(Cow::Borrowed(value))),
    };
    put(root, &steps, value)
}

/// The parts of a dotted key, which is quoted as in TOML.
fn steps(key: &str, start: usize) -> Option<Vec<Step>> {
    let document = format!("{key}=0");
    let table = DeTable::parse(&document).ok()?;
    let mut steps = Vec::new();
    let mut level = table.get_ref();
    loop {
        let mut pairs = level.iter();
        let (name, value) = pairs.next().filter(|_| level.len() == 1)?;
        let span = name.span();
        steps.push(Step { name: name.get_ref().to_string(), span: start + span.start..start + span.end });
        match value.get_ref() {
            DeValue::Table(inner) => level = inner,
            _ => return Some(steps),
        }
    }
}

fn put<'a>(node: &mut Spanned<DeValue<'a>>, steps: &[Step], value: Spanned<DeValue<'a>>) -> Result<(), String> {
    let Some((step, rest)) = steps.split_first() else {
        *node = value;
        return Ok(());
    };
    put(child(node.get_mut(), step, rest)?, rest, value)
}

/// The value under `step`; it is created if it does not exist.
fn child<'t, 'a>(
    node: &'t mut DeValue<'a>,
    step: &Step,
    rest: &[Step],
) -> Result<&'t mut Spanned<DeValue<'a>>, String> {
    let name = step.name.as_str();
    let found = match node {
        DeValue::Table(table) => {
            if rest.is_empty() {
                // A key that is replaced has its place in the override, not in the file.
                table.remove(name);
            }
            if !table.contains_key(name) {
                let key = Spanned::new(step.span.clone(), Cow::Owned(name.to_owned()));
                table.insert(key, Spanned::new(step.span.clone(), empty(rest)));
            }
            table.get_mut(name)
        }
        DeValue::Array(items) => {
            if name == items.len().to_string() {
                items.push(Spanned::new(step.span.clone(), empty(rest)));
            }
            let length = items.len();
            let index: usize = name.parse().map_err(|_| format!("{name:?} is no index into a list of {length}"))?;
            return items
                .get_mut(index)
                .ok_or_else(|| format!("there is no entry {index}; the list has {length}, counted from 0"));
        }
        scalar => return Err(format!("a value of type {} has no key {name:?}", scalar.type_str())),
    };
    found.ok_or_else(|| format!("there is no key {name:?}"))
}

/// The value of a new key on the way to `rest`: a list if `rest` begins with index 0, otherwise a table.
fn empty<'a>(rest: &[Step]) -> DeValue<'a> {
    match rest.first() {
        Some(step) if step.name == "0" => DeValue::Array(DeArray::default()),
        _ => DeValue::Table(DeTable::new()),
    }
}
