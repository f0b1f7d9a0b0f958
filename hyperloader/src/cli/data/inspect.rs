//! `data inspect PATH`.

use std::io::Write;

use super::inspection::Inspection;
use super::lengths::Truncation;
use super::source::{self, quietly};
use crate::Result;
use crate::cli::args::InspectArgs;
use crate::cli::output::{json, written};
use crate::tasks::{Split, SplitName, survey, unknown_words};

/// Writes the report as text or as JSON. Bad lines are listed in it and are no error.
pub(super) fn inspect(args: &InspectArgs, out: &mut dyn Write) -> Result<()> {
    let read = |path| quietly(&args.source, path, args.tags.scheme, true);
    let dataset = read(&args.source.path)?;
    let mut inspection = Inspection::of(&dataset)?;
    let validation = args.validation.as_ref().map(|path| read(path)).transpose()?;
    let test = args.test.as_ref().map(|path| read(path)).transpose()?;
    let others = [(SplitName::Validation, &validation), (SplitName::Test, &test)];
    let types = inspection.types.iter().map(|(kind, counts)| (kind.as_str(), counts.spans)).collect();
    let mut splits = vec![Split { name: SplitName::Train, examples: &dataset.examples, types }];
    splits.extend(others.iter().filter_map(|(name, split)| Some(Split::new(*name, &split.as_ref()?.examples))));
    let mut warnings = survey(&splits);
    let mut truncation = None;
    if let Some(path) = &args.tokenizer {
        let tokenizer = source::tokenizer(path)?;
        truncation = Some(Truncation::of(&dataset.examples, &tokenizer, args.lengths)?);
        warnings.extend(unknown_words(&splits, &tokenizer)?);
    }
    (inspection.warnings, inspection.truncation) = (warnings, truncation);
    if args.json { json(out, &inspection) } else { written(write!(out, "{inspection}")) }
}
