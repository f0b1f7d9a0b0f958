//! `data tokenize PATH --tokenizer T`.

use std::io::Write;

use datasets::Example;
use datasets::encode::{EncodeOptions, Encoder};
use datasets::labels::simplify;
use datasets::tokenizer::{DecodeOptions, T5Tokenizer};
use serde::Serialize;

use super::source::{self, corpus, json_line};
use super::timing::Timing;
use crate::Result;
use crate::cli::args::TokenizeArgs;
use crate::cli::output::{json, written};

/// One sentence as the model reads and writes it.
#[derive(Serialize)]
struct Tokenized {
    /// The line or row where it begins.
    line: Option<usize>,
    source: Side,
    target: Side,
}

#[derive(Serialize)]
struct Side {
    text: String,
    ids: Vec<u32>,
    truncated: bool,
}

/// Writes the first sentences as text or as JSON Lines, or the time that all of them take.
pub(super) fn tokenize(args: &TokenizeArgs, out: &mut dyn Write) -> Result<()> {
    let options = EncodeOptions {
        max_source_length: args.lengths.max_source_length.get(),
        max_target_length: args.lengths.max_target_length.get(),
        prefix: args.prefix.clone(),
    };
    if args.timing {
        let timing = Timing::of(args, &options)?;
        return if args.json { json(out, &timing) } else { written(write!(out, "{timing}")) };
    }
    let dataset = corpus(&args.source, args.tags.scheme, false)?;
    let tokenizer = source::tokenizer(&args.tokenizer)?;
    let mut encoder = Encoder::new(&tokenizer, &options)?;
    for (index, example) in dataset.examples.iter().take(args.number.get()).enumerate() {
        let tokenized = Tokenized::of(example, &mut encoder, &tokenizer)?;
        if args.json {
            json_line(out, &tokenized)?;
        } else {
            written(write!(out, "{}", tokenized.show(index + 1)))?;
        }
    }
    Ok(())
}

impl Tokenized {
    fn of(example: &Example, encoder: &mut Encoder<'_>, tokenizer: &T5Tokenizer) -> Result<Self> {
        let pair = encoder.encode(&example.tokens, &simplify(&example.tags)?)?;
        Ok(Self {
            line: example.line,
            source: Side::of(pair.source, pair.source_truncated, tokenizer)?,
            target: Side::of(pair.target, pair.target_truncated, tokenizer)?,
        })
    }

    fn show(&self, number: usize) -> String {
        let place = self.line.map_or(String::new(), |line| format!(" (line {line})"));
        format!("sentence {number}{place}\n{}{}", self.source.show("source"), self.target.show("target"))
    }
}

impl Side {
    fn of(ids: Vec<u32>, truncated: bool, tokenizer: &T5Tokenizer) -> Result<Self> {
        Ok(Self { text: tokenizer.decode(&ids, DecodeOptions::default())?, ids, truncated })
    }

    fn show(&self, name: &str) -> String {
        let ids: Vec<String> = self.ids.iter().map(u32::to_string).collect();
        let cut = if self.truncated { ", CUT" } else { "" };
        format!("  {name}  {}\n  {} ids{cut}  {}\n", self.text, ids.len(), ids.join(" "))
    }
}
