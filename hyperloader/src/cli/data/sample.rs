//! `data sample PATH`.

use std::io::Write;

use datasets::Dataset;
use datasets::labels::TagScheme;
use datasets::read::write;
use datasets::sample::{down_sample, take};
use serde::Serialize;

use super::source::{corpus, json_line, left_out, spare_the_source, warn_of_changes};
use crate::Result;
use crate::cli::args::SampleArgs;
use crate::cli::output::Report;

/// A sentence as a line of JSON Lines, in the form that the reader of that format accepts.
#[derive(Serialize)]
struct Sentence<'a> {
    tokens: &'a [String],
    tags: &'a [String],
}

/// Draws the sample, and writes it to its file or as JSON Lines to `out`.
pub(super) fn sample(args: &SampleArgs, out: &mut dyn Write) -> Result<()> {
    if let Some(path) = &args.out {
        spare_the_source(&args.source, path)?;
    }
    let dataset = corpus(&args.source, args.tags.scheme, args.skip_bad_lines)?;
    let sample = draw(args, &dataset)?;
    let Some((path, format)) = args.out.as_ref().zip(args.to) else {
        return sample.examples.iter().try_for_each(|e| json_line(out, &Sentence { tokens: &e.tokens, tags: &e.tags }));
    };
    let mut report = Report::before_writing(path, out);
    write(&sample, path, format)?;
    warn_of_changes(&sample, path, TagScheme::Iob2)?;
    let (n, of, bad) = (sample.examples.len(), dataset.examples.len(), left_out(&dataset));
    report.line(&format!("{}: {n} of {of} sentences as {format}{bad}", path.display()))
}

fn draw(args: &SampleArgs, dataset: &Dataset) -> Result<Dataset> {
    match (args.fraction, args.number) {
        (Some(fraction), _) => Ok(down_sample(dataset, fraction, args.seed)?),
        (None, Some(number)) => Ok(take(dataset, number.get(), args.seed)),
        (None, None) => Ok(dataset.clone()),
    }
}
