//! Lines of columns as sentences.

use super::layout::Layout;
use super::rows::{Line, Row, lines};
use crate::error::{Error, Place, Result};
use crate::read::check::{self, Reason};
use crate::read::collector::{Collector, Found};

pub(in crate::read) fn read(bytes: &[u8], collector: &mut Collector<'_>) -> Result<()> {
    let lines = lines(bytes);
    let layout = Layout::of(&lines, collector.options()).map_err(|reason| Error::file(collector.path(), reason))?;
    if let Some(layout) = &layout {
        collector.decided.columns = Some(layout.described());
        collector.decided.notable |= !layout.notes.is_empty();
    }
    let layout = layout.as_ref();
    let mut sentence = Sentence::default();
    let mut named = false;
    for line in lines {
        match line {
            Line::Break => sentence.close(collector),
            Line::Hash(row) if !layout.is_some_and(|layout| layout.is_token(&row)) => {}
            Line::Token(row) if layout.is_some_and(|layout| layout.passes_over(&row)) => {}
            Line::Token(row) if layout.is_some_and(|layout| layout.is_header(&row)) => {
                // Where files were joined, the later ones have the names too.
                if std::mem::replace(&mut named, true) {
                    sentence.add(row.place, Err("this line names the columns again; remove it".to_owned()));
                }
            }
            Line::Hash(row) | Line::Token(row) => sentence.add(row.place, word_and_tag(layout, &row)),
            Line::Bad(place, reason) => sentence.add(place, Err(reason)),
        }
    }
    sentence.close(collector);
    Ok(())
}

fn word_and_tag<'a>(layout: Option<&Layout<'a>>, row: &Row<'a>) -> Result<(&'a str, &'a str), Reason> {
    let layout = layout.ok_or("one column: expected a word and its tag, separated by a tab or blank")?;
    let (word, tag) = layout
        .word_and_tag(&row.cells)
        .ok_or_else(|| format!("{} columns where the other lines have {}", row.cells.len(), layout.width))?;
    check::filled(word, tag)?;
    Ok((word, tag))
}

/// The sentence being read, with the lines of its tokens and its first bad line.
#[derive(Default)]
struct Sentence {
    found: Found,
    lines: Vec<usize>,
    bad: Option<(Place, Reason)>,
}

impl Sentence {
    fn add(&mut self, place: Place, pair: Result<(&str, &str), Reason>) {
        match pair {
            Ok((word, tag)) => {
                self.found.0.push(word.to_owned());
                self.found.1.push(tag.to_owned());
                self.lines.push(place.number());
            }
            Err(reason) => {
                self.bad.get_or_insert((place, reason));
            }
        }
    }

    /// Hands over the sentence and begins the next.
    fn close(&mut self, collector: &mut Collector<'_>) {
        let found = std::mem::take(&mut self.found);
        match self.bad.take() {
            Some((place, reason)) => collector.take(place, Err(reason)),
            None if self.lines.is_empty() => {}
            None => collector.take_lines(&self.lines, found),
        }
        self.lines.clear();
    }
}
