//! mTOD and mTOP: a sentence is a line of tab-separated columns, with slots as character spans and tokens as JSON.

use serde::Deserialize;

use super::check::Reason;
use super::collector::{Collector, Found};
use super::columns;
use super::lines::numbered;
use super::options::ReadOptions;
use super::slots::{self, Slot};
use crate::error::{Error, Result};

/// The number of columns, and which of them are read.
#[derive(Clone, Copy)]
pub(super) struct TsvLayout {
    count: usize,
    slots: usize,
    tokens: usize,
}

/// Intent, slots, utterance, domain, locale, tokens (Schuster et al. 2019).
pub(super) const MTOD: TsvLayout = TsvLayout { count: 6, slots: 1, tokens: 5 };

/// Id, intent, slots, utterance, domain, locale, bracketed parse, tokens (Li et al. 2021).
pub(super) const MTOP: TsvLayout = TsvLayout { count: 8, slots: 2, tokens: 7 };

/// The token column: the tokens, and the position of each in the utterance.
#[derive(Deserialize)]
struct Tokenized {
    tokens: Vec<String>,
    #[serde(rename = "tokenSpans")]
    spans: Vec<TokenSpan>,
}

/// A token's position in the utterance, in characters.
#[derive(Deserialize)]
struct TokenSpan {
    start: usize,
    length: usize,
}

impl TsvLayout {
    /// Whether a line looks like this format.
    pub(super) fn fits(&self, line: &str) -> bool {
        self.cells(line).is_ok_and(|(_, tokens)| tokens.starts_with('{'))
    }

    /// The layout with the columns that the options give by number.
    fn with(self, options: &ReadOptions) -> Result<Self, Reason> {
        let index = |given: Option<&str>, usual: usize| match given {
            None => Ok(usual),
            Some(column) => columns::numbered(column, self.count).ok_or_else(|| {
                format!("no column `{column}`: the columns have no names; give a number from 1 to {}", self.count)
            }),
        };
        Ok(Self {
            slots: index(options.tags_column.as_deref(), self.slots)?,
            tokens: index(options.tokens_column.as_deref(), self.tokens)?,
            ..self
        })
    }

    /// The slot and the token column of a line.
    fn cells<'a>(&self, line: &'a str) -> Result<(&'a str, &'a str), Reason> {
        let cells: Vec<&str> = line.split('\t').collect();
        match (cells.get(self.slots), cells.get(self.tokens)) {
            (Some(slots), Some(tokens)) if cells.len() == self.count => Ok((slots, tokens)),
            _ => Err(format!("{} tab-separated columns, expected {}", cells.len(), self.count)),
        }
    }
}

pub(super) fn read(bytes: &[u8], layout: TsvLayout, collector: &mut Collector<'_>) -> Result<()> {
    let layout = &layout.with(collector.options()).map_err(|reason| Error::file(collector.path(), reason))?;
    collector.decided.columns =
        Some(format!("columns: tokens {}, slots {} of {}", layout.tokens + 1, layout.slots + 1, layout.count));
    for (place, line) in numbered(bytes) {
        if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
            continue;
        }
        collector.take(place, line.and_then(|line| sentence(line, layout)));
    }
    Ok(())
}

fn sentence(line: &str, layout: &TsvLayout) -> Result<Found, Reason> {
    let (slots, tokens) = layout.cells(line)?;
    let Tokenized { tokens, spans } = serde_json::from_str(tokens)
        .map_err(|error| format!("token column is not `{{\"tokens\", \"tokenSpans\"}}`: {error}"))?;
    if tokens.len() != spans.len() {
        return Err(format!("{} tokens but {} token spans", tokens.len(), spans.len()));
    }
    let borders = borders(&spans)?;
    let slots: Vec<Slot<'_>> = slots::parse(slots)?;
    let tags = slots::tags(&slots, &borders)?;
    Ok((tokens, tags))
}

/// Start and end of every token. The tokens must be in order and must not overlap.
fn borders(spans: &[TokenSpan]) -> Result<Vec<(usize, usize)>, Reason> {
    let mut last = 0;
    spans
        .iter()
        .enumerate()
        .map(|(index, span)| match span.start.checked_add(span.length) {
            Some(end) if span.length > 0 && span.start >= last => {
                last = end;
                Ok((span.start, end))
            }
            _ => Err(format!(
                "token span {} (start {}, length {}) is empty or begins before the end of the one before",
                index + 1,
                span.start,
                span.length
            )),
        })
        .collect()
}
