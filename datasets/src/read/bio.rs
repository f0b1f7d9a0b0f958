//! Two-column BIO and CoNLL: one token per line, a blank line after each sentence.

use super::bio_layout::{BioLayout, columns};
use super::check::{self, Reason};
use super::collector::{Collector, Found};
use super::lines::numbered;
use crate::error::{Place, Result};

/// CoNLL's line before each document begins with this.
pub(super) const DOCUMENT_START: &str = "-DOCSTART-";

enum BioLine<'a> {
    /// A blank line or the start of a document.
    Break,
    /// A line that begins with `#`: a comment, unless it has the columns of the other lines.
    Hash(Place, Vec<&'a str>),
    Token(Place, Vec<&'a str>),
    Bad(Place, Reason),
}

pub(super) fn read(bytes: &[u8], collector: &mut Collector<'_>) -> Result<()> {
    let lines: Vec<BioLine<'_>> = numbered(bytes).map(|(place, line)| classify(place, line)).collect();
    let tokens = lines.iter().filter_map(|line| match line {
        BioLine::Token(_, cells) => Some(cells.as_slice()),
        _ => None,
    });
    let hashes = lines.iter().filter_map(|line| match line {
        BioLine::Hash(_, cells) => Some(cells.as_slice()),
        _ => None,
    });
    let layout = BioLayout::of(tokens).or_else(|| BioLayout::of(hashes));

    let mut sentence = Sentence::default();
    for line in lines {
        match line {
            BioLine::Break => std::mem::take(&mut sentence).close(collector)?,
            BioLine::Hash(_, cells) if !layout.is_some_and(|layout| layout.is_token(&cells)) => {}
            BioLine::Hash(place, cells) | BioLine::Token(place, cells) => {
                sentence.add(place, word_and_tag(layout, &cells));
            }
            BioLine::Bad(place, reason) => sentence.add(place, Err(reason)),
        }
    }
    sentence.close(collector)
}

fn classify(place: Place, line: Result<&str, Reason>) -> BioLine<'_> {
    match line {
        Err(reason) => BioLine::Bad(place, reason),
        Ok(line) if line.trim().is_empty() || line.starts_with(DOCUMENT_START) => BioLine::Break,
        Ok(line) if line.starts_with('#') => BioLine::Hash(place, columns(line)),
        Ok(line) => BioLine::Token(place, columns(line)),
    }
}

fn word_and_tag<'a>(layout: Option<BioLayout>, cells: &[&'a str]) -> Result<(&'a str, &'a str), Reason> {
    let layout = layout.ok_or("one column: expected a word and its tag, separated by a tab or blank")?;
    let (word, tag) = layout
        .word_and_tag(cells)
        .ok_or_else(|| format!("{} columns where the other lines have {}", cells.len(), layout.columns))?;
    check::pair(word, tag)?;
    Ok((word, tag))
}

/// The sentence being read, with its first line and its first bad line.
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
