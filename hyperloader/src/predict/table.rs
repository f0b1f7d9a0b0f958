//! Answers to the rows of a Parquet file.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use datasets::read::rows::{LabelledRows, RowLabels, RowSpan, RowText, TextRows};

use super::{Answers, PredictionWriter, Request};
use crate::Result;
use crate::label::{Entity, TaggedSentence};

impl Answers<'_> {
    /// Writes the answers to the rows of `range`.
    ///
    /// # Errors
    /// If a row cannot be read, or its answer cannot be made or written.
    pub fn rows(&mut self, rows: &TextRows, range: Range<u64>, writer: &mut PredictionWriter<'_>) -> Result<()> {
        for part in rows.rows(range) {
            for requests in requests(part?.texts, self.at_once()) {
                self.give(requests, writer)?;
            }
        }
        Ok(())
    }

    /// Writes the rows of `range` with all their columns and their answers as a Parquet file to `out`, which errors call `name`.
    ///
    /// # Errors
    /// As [`rows`](Self::rows), and if the file has one of the columns that are added.
    pub fn table<W: Write>(&mut self, rows: &TextRows, range: Range<u64>, out: W, name: &Path) -> Result<()> {
        let mut writer = LabelledRows::new(out, name, rows)?;
        for part in rows.rows(range) {
            let mut part = part?;
            let texts = std::mem::take(&mut part.texts);
            let mut labels = Vec::with_capacity(texts.len());
            for requests in requests(texts, self.at_once()) {
                for (labelled, _) in self.label(requests)? {
                    labels.push(row_labels(labelled)?);
                }
            }
            writer.write(part, &labels)?;
        }
        Ok(writer.finish()?)
    }
}

/// The texts as requests, so many at a time.
fn requests(texts: Vec<RowText>, at_once: usize) -> impl Iterator<Item = Vec<Request>> {
    let mut texts = texts.into_iter().map(Request::row);
    std::iter::from_fn(move || {
        let some: Vec<Request> = texts.by_ref().take(at_once).collect();
        (!some.is_empty()).then_some(some)
    })
}

fn row_labels(labelled: TaggedSentence) -> Result<RowLabels> {
    let span = |entity: Entity| RowSpan {
        kind: entity.kind,
        start: entity.start as u64,
        end: entity.end as u64,
        text: entity.text,
        word_start: entity.word_start as u64,
        word_end: entity.word_end as u64,
        score: entity.score,
    };
    let spans = labelled.spans()?.into_iter().map(span).collect();
    let TaggedSentence { tokens, tags, confidences, .. } = labelled;
    Ok(RowLabels { tokens, tags, confidences, spans })
}
