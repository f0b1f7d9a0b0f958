//! Writing results.

use std::io::Write;

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
