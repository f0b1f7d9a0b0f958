//! Reading the corpus of a call.

use std::io::Write;
use std::path::Path;

use datasets::Dataset;
use datasets::labels::TagScheme;
use datasets::read::{OnBadLine, Origin, changed_by, files_of, read};
use datasets::tokenizer::T5Tokenizer;
use tracing::{info, warn};

use crate::cli::args::SourceArgs;
use crate::cli::output::written;
use crate::{Error, Result};

/// The corpus of `args`, without its bad sentences if `skip`. A decision of the reader that a person should know goes to
/// stderr.
pub(super) fn corpus(args: &SourceArgs, scheme: Option<TagScheme>, skip: bool) -> Result<Dataset> {
    let dataset = quietly(args, &args.path, scheme, skip)?;
    if let Some(Origin { path, format, decided }) = dataset.origin.as_ref().filter(|origin| origin.decided.notable) {
        info!("{}: {format}; {decided}", path.display());
    }
    Ok(dataset)
}

/// The same without the message, for the file at `path`.
pub(super) fn quietly(args: &SourceArgs, path: &Path, scheme: Option<TagScheme>, skip: bool) -> Result<Dataset> {
    let on_bad_line = if skip { OnBadLine::Skip } else { OnBadLine::Fail };
    Ok(read(path, &args.options(on_bad_line, scheme))?)
}

/// Warns if the tags of a written corpus are others when it is read.
pub(super) fn warn_of_changes(dataset: &Dataset, path: &Path, scheme: TagScheme) -> Result<()> {
    let (changed, all) = (changed_by(dataset, scheme)?, dataset.examples.len());
    let why = match scheme {
        TagScheme::Io | TagScheme::Bare => {
            format!("the scheme {scheme} cannot tell neighbors of one type apart, or it must be named to be recognized")
        }
        _ => format!("most spans begin with I-; read it with the scheme {scheme}"),
    };
    if changed > 0 {
        warn!("{}: {changed} of {all} sentences get other tags when they are read: {why}", path.display());
    }
    Ok(())
}

/// Refuses to write over the corpus that is read: its comments, columns and bad sentences would be lost.
pub(super) fn spare_the_source(args: &SourceArgs, out: &Path) -> Result<()> {
    let sources = files_of(&args.path, &args.options(OnBadLine::Fail, None));
    let same = |one: &Path| one.canonicalize().ok().zip(out.canonicalize().ok()).is_some_and(|(one, out)| one == out);
    let folder = |file: &Path| file.parent().is_some_and(|folder| sources.len() > 1 && same(folder));
    match sources.iter().any(|file| same(file) || folder(file)) {
        true => Err(Error::Config(format!("{}: this is the corpus itself; name another file to write", out.display()))),
        false => Ok(()),
    }
}

/// The tokenizer that `--tokenizer` names.
pub(super) fn tokenizer(path: &Path) -> Result<T5Tokenizer> {
    T5Tokenizer::load(path).map_err(|error| Error::from(error).asked_by("--tokenizer"))
}

/// The number of skipped sentences as the end of a message: nothing, or `, 3 bad left out`.
pub(super) fn left_out(dataset: &Dataset) -> String {
    match dataset.skipped.len() {
        0 => String::new(),
        n => format!(", {n} bad left out"),
    }
}

/// Writes `value` as one line of JSON Lines.
pub(super) fn json_line(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string(value).map_err(|e| Error::malformed("stdout", e.to_string()))?;
    written(writeln!(out, "{text}"))
}
