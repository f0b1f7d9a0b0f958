//! `seq.in` and `seq.out`: line k of `seq.in` has the tokens of sentence k, line k of `seq.out` its tags.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use peft_files::{check_contents, check_pointer};

use super::check::Reason;
use super::collector::{Collector, Found};
use super::dataset::Dataset;
use super::format::Format;
use super::lines::{Line, numbered};
use super::options::ReadOptions;
use super::text::{COMPRESSED, TextFound, decode, unpack};
use crate::error::{Error, Result};

pub(super) const TOKENS_FILE: &str = "seq.in";
pub(super) const TAGS_FILE: &str = "seq.out";

/// The file called `name` in a folder, or its compressed form if only that is there.
pub(super) fn file_in(folder: &Path, name: &str) -> PathBuf {
    let plain = folder.join(name);
    let compressed = COMPRESSED.iter().map(|ending| folder.join(format!("{name}.{ending}")));
    match plain.is_file() {
        true => plain,
        false => compressed.into_iter().find(|path| path.is_file()).unwrap_or(plain),
    }
}

/// The folder of `seq.in` and `seq.out` that `path` names: the folder itself, or the folder of one of the two files.
/// `None` if the path has another format.
pub(super) fn folder_of(path: &Path, format: Option<Format>) -> Option<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = COMPRESSED.iter().find_map(|ending| name.strip_suffix(&format!(".{ending}"))).unwrap_or(name);
    let folder = if [TOKENS_FILE, TAGS_FILE].contains(&name) { path.parent()? } else { path };
    match format {
        Some(Format::Seq) => Some(folder.to_owned()),
        Some(_) => None,
        None => file_in(folder, TOKENS_FILE).is_file().then(|| folder.to_owned()),
    }
}

pub(super) fn read(folder: &Path, options: &ReadOptions) -> Result<Dataset> {
    if let Some(column) = options.tokens_column.as_ref().or(options.tags_column.as_ref()) {
        let reason = format!("no column `{column}`: `seq` has no columns; leave tokens_column and tags_column out");
        return Err(Error::file(folder, reason));
    }
    let path = file_in(folder, TOKENS_FILE);
    let (tokens, found) = text(&path, options)?;
    let (tags, found_in_tags) = text(&file_in(folder, TAGS_FILE), options)?;
    let (tokens, tags) = (without_blank_end(&tokens), without_blank_end(&tags));
    if tokens.len() != tags.len() {
        let reason = format!(
            "`{TOKENS_FILE}` has {} lines and `{TAGS_FILE}` {}: line k of both must be one sentence",
            tokens.len(),
            tags.len()
        );
        return Err(Error::file(folder, reason));
    }
    // Errors name a file, not the folder.
    let mut collector = Collector::new(&path, options);
    collector.decided.notable |= found.is_notable() || found_in_tags.is_notable();
    collector.decided.text = Some(found);
    for ((place, tokens), (_, tags)) in tokens.into_iter().zip(tags) {
        collector.take(place, sentence(tokens, tags));
    }
    let mut dataset = collector.finish(Format::Seq)?;
    if let Some(origin) = &mut dataset.origin {
        folder.clone_into(&mut origin.path);
    }
    Ok(dataset)
}

fn text(path: &Path, options: &ReadOptions) -> Result<(Vec<u8>, TextFound)> {
    let bytes = fs::read(path).map_err(Error::io(path))?;
    check_pointer(path, &bytes)?;
    let (unpacked, compression) = unpack(&bytes, path)?;
    let (text, found) = decode(unpacked, path, options.encoding, compression)?;
    check_contents(path, &text)?;
    match text {
        Cow::Owned(text) => Ok((text, found)),
        Cow::Borrowed(_) => Ok((bytes, found)),
    }
}

fn sentence(tokens: Result<&str, Reason>, tags: Result<&str, Reason>) -> Result<Found, Reason> {
    let tags = tags.map_err(|reason| format!("`{TAGS_FILE}`: {reason}"))?;
    Ok((words(tokens?), words(tags)))
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The lines of a file, without the blank lines at its end.
fn without_blank_end(bytes: &[u8]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = numbered(bytes).collect();
    let blank = |(_, line): &Line<'_>| line.as_ref().is_ok_and(|line| line.trim().is_empty());
    while lines.last().is_some_and(blank) {
        lines.pop();
    }
    lines
}
