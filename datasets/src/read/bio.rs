//! Two-column BIO and CoNLL: one token a line, a blank line after each sentence.

use super::check::{self, Reason};
use super::collector::{Collector, Found};
use super::layout::{Layout, columns};
use super::lines::numbered;
use crate::Result;
use crate::error::Place;

/// What CoNLL puts on a line of its own before each document.
pub(super) const DOCUMENT_START: &str = "-DOCSTART-";

enum Row<'a> {
    /// A blank line or the start of a document.
    Break,
    /// A line whose first character is `#`: a comment, unless it fits the other lines.
    Hash(Place, Vec<&'a str>),
    Token(Place, Vec<&'a str>),
    Bad(Place, Reason),
}

pub(super) fn read(bytes: &[u8], collector: &mut Collector<'_>) -> Result<()> {
    let rows: Vec<Row<'_>> = numbered(bytes).map(|(place, line)| row(place, line)).collect();
    let tokens = rows.iter().filter_map(|row| match row {
        Row::Token(_, cells) => Some(cells.as_slice()),
        _ => None,
    });
    let hashes = rows.iter().filter_map(|row| match row {
        Row::Hash(_, cells) => Some(cells.as_slice()),
        _ => None,
    });
    let layout = Layout::of(tokens).or_else(|| Layout::of(hashes));

    let mut sentence = Sentence::default();
    for row in rows {
        match row {
            Row::Break => std::mem::take(&mut sentence).close(collector)?,
            Row::Hash(_, cells) if !layout.is_some_and(|layout| layout.is_token(&cells)) => {}
            Row::Hash(place, cells) | Row::Token(place, cells) => {
                sentence.add(place, word_and_tag(layout, &cells));
            }
            Row::Bad(place, reason) => sentence.add(place, Err(reason)),
        }
    }
    sentence.close(collector)
}

fn row(place: Place, line: Result<&str, Reason>) -> Row<'_> {
    match line {
        Err(reason) => Row::Bad(place, reason),
        Ok(line) if line.trim().is_empty() || line.starts_with(DOCUMENT_START) => Row::Break,
        Ok(line) if line.starts_with('#') => Row::Hash(place, columns(line)),
        Ok(line) => Row::Token(place, columns(line)),
    }
}

fn word_and_tag<'a>(layout: Option<Layout>, cells: &[&'a str]) -> Result<(&'a str, &'a str), Reason> {
    let layout = layout.ok_or("one column: expected a word and its tag, separated by a tab or blank")?;
    let (word, tag) = layout
        .word_and_tag(cells)
        .ok_or_else(|| format!("{} columns where the other lines have {}", cells.len(), layout.columns))?;
    check::pair(word, tag)?;
    Ok((word, tag))
}

/// The sentence being read: where it began, and the first bad line in it.
#[derive(Default)]
struct Sentence {
    start: Option<Place>,
    found: Found,
    bad: Option<(Place, Reason)>,
}

impl Sentence {
    fn add(&mut self, place: Place, pair: Result<(&str, &str), Reason>) {
        self.start.get_or_insert(place);
        match pair {
            Ok((word, tag)) => {
                self.found.0.push(word.to_owned());
                self.found.1.push(tag.to_owned());
            }
            Err(reason) => {
                self.bad.get_or_insert((place, reason));
            }
        }
    }

    fn close(self, collector: &mut Collector<'_>) -> Result<()> {
        match (self.bad, self.start) {
            (Some((place, reason)), _) => collector.take(place, Err(reason)),
            (None, Some(start)) => collector.take(start, Ok(self.found)),
            (None, None) => Ok(()),
        }
    }
}
