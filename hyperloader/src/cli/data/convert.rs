//! `data convert PATH OUT --to FORMAT`.

use std::io::Write;

use datasets::read::write_as;

use super::source::{corpus, left_out, spare_the_source, warn_of_changes};
use crate::Result;
use crate::cli::args::ConvertArgs;
use crate::cli::output::Report;

/// Writes the corpus in another format and prints what was written.
pub(super) fn convert(args: &ConvertArgs, out: &mut dyn Write) -> Result<()> {
    spare_the_source(&args.source, &args.out)?;
    let dataset = corpus(&args.source, args.from_scheme, args.skip_bad_lines)?;
    let scheme = args.scheme.unwrap_or_default();
    let mut report = Report::before_writing(&args.out, out);
    write_as(&dataset, &args.out, args.to, scheme)?;
    warn_of_changes(&dataset, &args.out, scheme)?;
    let (sentences, bad) = (dataset.examples.len(), left_out(&dataset));
    report.line(&format!("{}: {sentences} sentences as {}{bad}", args.out.display(), args.to))
}
