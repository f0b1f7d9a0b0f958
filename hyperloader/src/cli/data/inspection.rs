//! The contents of a corpus: counts, lengths and bad lines.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use datasets::Dataset;
use datasets::labels::Tag;
use datasets::metrics::{ScoringMode, spans};
use datasets::read::Decided;
use serde::Serialize;

use super::lengths::{Lengths, Truncation};
use crate::Result;

/// The most bad lines that the text report shows; JSON has all of them.
const BAD_LINES_SHOWN: usize = 5;

/// The contents of a corpus.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Inspection {
    /// The file or folder.
    pub(super) path: String,
    /// Its format.
    pub(super) format: String,
    /// Columns, tag scheme and encoding as they were read.
    pub(super) decided: Decided,
    /// Good sentences.
    pub(super) sentences: usize,
    /// Their tokens.
    pub(super) tokens: usize,
    /// Different tokens among them.
    pub(super) distinct_tokens: usize,
    /// Tokens tagged `O`.
    pub(super) outside: usize,
    /// Spans of all types. An `I-X` that continues no span begins one.
    pub(super) spans: usize,
    /// The types, by name.
    pub(super) types: BTreeMap<String, TypeCounts>,
    /// Tokens per sentence.
    pub(super) sentence_length: Lengths,
    /// The lines that cannot be read.
    pub(super) bad_lines: Vec<BadLine>,
    /// What is odd about the sentences; with other splits, also in comparison with them.
    pub(super) warnings: Vec<String>,
    /// The sentences that are cut; `None` without a tokenizer.
    pub(super) truncation: Option<Truncation>,
}

/// How often a type occurs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct TypeCounts {
    /// Spans.
    pub(super) spans: usize,
    /// Tokens tagged `B-TYPE`.
    pub(super) begin: usize,
    /// Tokens tagged `I-TYPE`.
    pub(super) inside: usize,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct BadLine {
    /// The number of the line, or of the row of a table, counted from 1.
    pub(super) line: usize,
    /// The reason.
    pub(super) reason: String,
}

impl Inspection {
    /// The contents of `dataset`, without truncation.
    ///
    /// # Errors
    /// If a tag is malformed; no reader returns such a tag.
    pub(super) fn of(dataset: &Dataset) -> Result<Self> {
        let examples = &dataset.examples;
        let tokens = || examples.iter().flat_map(|example| &example.tokens);
        let mut outside = 0;
        let mut types: BTreeMap<String, TypeCounts> = BTreeMap::new();
        for tag in examples.iter().flat_map(|example| &example.tags) {
            match Tag::parse(tag)? {
                Tag::Outside => outside += 1,
                Tag::Begin(kind) => types.entry(kind.to_owned()).or_default().begin += 1,
                Tag::Inside(kind) => types.entry(kind.to_owned()).or_default().inside += 1,
            }
        }
        for example in examples {
            for span in spans(&example.tags, ScoringMode::Default)? {
                types.entry(span.kind.to_owned()).or_default().spans += 1;
            }
        }
        let bad_line = |bad: &datasets::read::Skipped| BadLine { line: bad.place.number(), reason: bad.reason.clone() };
        let origin = dataset.origin.as_ref();
        Ok(Self {
            path: origin.map_or(String::new(), |o| o.path.display().to_string()),
            format: origin.map_or(String::new(), |o| o.format.to_string()),
            decided: origin.map_or_else(Decided::default, |o| o.decided.clone()),
            sentences: examples.len(),
            tokens: tokens().count(),
            distinct_tokens: tokens().collect::<HashSet<_>>().len(),
            outside,
            spans: types.values().map(|counts| counts.spans).sum(),
            types,
            sentence_length: Lengths::of(examples.iter().map(|example| example.tokens.len())),
            bad_lines: dataset.skipped.iter().map(bad_line).collect(),
            warnings: Vec::new(),
            truncation: None,
        })
    }

    fn write_types(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.types.keys().map(|kind| kind.chars().count()).max().unwrap_or(0).max(4);
        writeln!(f, "\n{:<width$}  {:>8}  {:>8}  {:>8}", "type", "spans", "B", "I")?;
        let mut types: Vec<_> = self.types.iter().collect();
        types.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.spans));
        for (kind, TypeCounts { spans, begin, inside }) in types {
            writeln!(f, "{kind:<width$}  {spans:>8}  {begin:>8}  {inside:>8}")?;
        }
        Ok(())
    }

    fn write_bad_lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "bad lines   {}", self.bad_lines.len())?;
        for BadLine { line, reason } in self.bad_lines.iter().take(BAD_LINES_SHOWN) {
            writeln!(f, "  {}:{line}: {reason}", self.path)?;
        }
        match self.bad_lines.len().saturating_sub(BAD_LINES_SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more (--json has all)"),
        }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.path, self.format)?;
        writeln!(f, "read as     {}", self.decided)?;
        writeln!(f, "sentences   {}", self.sentences)?;
        writeln!(
            f,
            "tokens      {} ({} different, {} outside of spans)",
            self.tokens, self.distinct_tokens, self.outside
        )?;
        writeln!(f, "spans       {} of {} types", self.spans, self.types.len())?;
        writeln!(f, "length      {}", self.sentence_length)?;
        self.write_bad_lines(f)?;
        if let Some(cut) = &self.truncation {
            let of = self.sentences;
            writeln!(
                f,
                "sources     {} of {of} cut at {} tokens: {}",
                cut.sources_cut, cut.max_source_length, cut.source_tokens
            )?;
            writeln!(
                f,
                "targets     {} of {of} cut at {} tokens: {}",
                cut.targets_cut, cut.max_target_length, cut.target_tokens
            )?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning     {warning}"))?;
        self.write_types(f)
    }
}
