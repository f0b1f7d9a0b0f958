//! `data`: inspecting and converting a corpus before training.

mod convert;
mod inspect;
mod inspection;
mod lengths;
mod sample;
mod source;
mod timing;
mod tokenize;

use std::io::Write;

use super::args::DataVerb;
use crate::Result;

/// Runs `verb` and writes the result to `out`.
///
/// # Errors
/// If the corpus or the tokenizer cannot be read, with file, line and reason; if a file or `out` cannot be written.
pub(super) fn data(verb: &DataVerb, out: &mut dyn Write) -> Result<()> {
    match verb {
        DataVerb::Inspect(args) => inspect::inspect(args, out),
        DataVerb::Convert(args) => convert::convert(args, out),
        DataVerb::Sample(args) => sample::sample(args, out),
        DataVerb::Tokenize(args) => tokenize::tokenize(args, out),
    }
}

#[cfg(test)]
mod tests;
