//! Telling the files of a run from files of the user that have the same names.

use std::path::Path;

use datasets::tokenizer::T5Tokenizer;
use peft_files::{MANIFEST, Manifest};
use peft_t5::T5Config;

use super::RunDir;
use crate::config::Config;

/// Whether the file `name` of the folder is one that a run wrote there: a process may have been killed before its first checkpoint.
///
/// A run writes its configuration first, so without that nothing is a run's. Every file has one form, so that reading and writing it
/// changes no byte; a user's own file would have to agree in all of them.
pub(super) fn is_own(run: &RunDir, name: &str) -> bool {
    let path = run.root().join(name);
    let Ok(text) = std::fs::read_to_string(&path) else { return false };
    let written = match name {
        "config.toml" => return is_resolved(&path, &text),
        _ if !std::fs::read_to_string(run.config()).is_ok_and(|text| is_resolved(&run.config(), &text)) => None,
        "tags.json" => run.load_tags().ok().and_then(|tags| serde_json::to_string_pretty(&tags).ok()),
        "config.json" => T5Config::read(&path).ok().and_then(|shape| serde_json::to_string_pretty(&shape).ok()),
        "tokenizer.json" => T5Tokenizer::load(&path).ok().and_then(|tokenizer| tokenizer.to_json().ok()),
        MANIFEST => return Manifest::find(run.root()).is_ok_and(|manifest| manifest.is_some()),
        "metrics.jsonl" => return has_steps(&text),
        _ => None,
    };
    written.is_some_and(|written| written.trim_end() == text.trim_end())
}

/// Whether `text` is a resolved configuration.
fn is_resolved(path: &Path, text: &str) -> bool {
    Config::load(path, &[]).and_then(|config| config.to_toml()).is_ok_and(|again| again == text)
}

/// Whether every line is a record of a step. The last one may have been cut.
fn has_steps(text: &str) -> bool {
    let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
    let is_record = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line)
            .is_ok_and(|record| record.get("step").is_some_and(|step| step.is_u64()))
    };
    whole.lines().all(is_record)
}
