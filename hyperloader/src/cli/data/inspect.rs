//! `data inspect PATH`.

use std::io::Write;

use datasets::tokenizer::T5Tokenizer;

use super::inspection::Inspection;
use super::lengths::Truncation;
use super::source::quietly;
use crate::Result;
use crate::cli::args::InspectArgs;
use crate::cli::output::{json, written};

/// Writes the report as text or as JSON. Bad lines are listed in it and are no error.
pub(super) fn inspect(args: &InspectArgs, out: &mut dyn Write) -> Result<()> {
    let dataset = quietly(&args.source, &args.source.path, args.tags.scheme, true)?;
    let mut inspection = Inspection::of(&dataset)?;
    if let Some(path) = &args.tokenizer {
        let tokenizer = T5Tokenizer::load(path)?;
        inspection.truncation = Some(Truncation::of(&dataset.examples, &tokenizer, args.lengths)?);
    }
    if args.json { json(out, &inspection) } else { written(write!(out, "{inspection}")) }
}
