//! `data convert PATH OUT --to FORMAT`.

use std::io::Write;

use datasets::read::write;

use super::source::{corpus, left_out};
use crate::Result;
use crate::cli::args::ConvertArgs;
use crate::cli::output::written;

/// Writes the corpus in another format and prints what was written.
pub(super) fn convert(args: &ConvertArgs, out: &mut dyn Write) -> Result<()> {
    let dataset = corpus(&args.source, args.skip_bad_lines)?;
    write(&dataset, &args.out, args.to)?;
    let (sentences, bad) = (dataset.examples.len(), left_out(&dataset));
    written(writeln!(out, "{}: {sentences} sentences as {}{bad}", args.out.display(), args.to))
}
