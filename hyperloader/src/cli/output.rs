//! Writing results.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::{Error, Result};

/// The result of writing to stdout, as this crate's.
pub(super) fn written(result: std::io::Result<()>) -> Result<()> {
    result.map_err(|e| Error::io("stdout", e))
}

/// Writes one JSON document.
pub(super) fn json(out: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::malformed("stdout", e.to_string()))?;
    written(writeln!(out, "{text}"))
}

/// Where a command says what it wrote: on stdout or, if stdout is the file that it writes, on stderr.
pub(super) struct Report<'a> {
    out: Option<&'a mut dyn Write>,
}

impl<'a> Report<'a> {
    /// The report of a command that is about to write the file `path`. `out` is stdout.
    pub(super) fn before_writing(path: &Path, out: &'a mut dyn Write) -> Self {
        Self { out: (!peft_files::is_stdout(path)).then_some(out) }
    }

    /// Writes one line.
    pub(super) fn line(&mut self, text: &str) -> Result<()> {
        match &mut self.out {
            Some(out) => written(writeln!(out, "{text}")),
            None => {
                message(text);
                Ok(())
            }
        }
    }
}

/// Writes a line to stderr. A stderr that cannot be written to must not stop a command.
pub(super) fn message(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
