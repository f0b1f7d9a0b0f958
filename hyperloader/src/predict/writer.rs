//! Writing tagged sentences one at a time.

use std::io::Write;

use serde::Serialize;

use super::html;
use crate::label::{Alternative, TaggedSentence, TaggedSpan};
use crate::{Error, Result};

/// How predicted tags are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum PredictionFormat {
    /// One `word<TAB>tag` a line, a blank line between sentences
    Bio,
    /// One JSON object a line, with tokens, tags, spans and confidences
    ///
    /// The keys are `tokens`, `tags` and `spans`; with structured decoding also `confidences`, one per word, and on request
    /// `n_best`, a list of objects with `tags` and `score`. A blank line gets an object with empty lists.
    Jsonl,
    /// The text with its spans in brackets: `play [jazz](genre)`
    Inline,
    /// One page with colored spans
    Html,
}

#[derive(Serialize)]
struct Line<'a> {
    tokens: &'a [String],
    tags: &'a [String],
    spans: Vec<TaggedSpan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidences: Option<&'a [f32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_best: Option<&'a [Alternative]>,
}

/// Writes tagged sentences in one format.
pub struct PredictionWriter<'a> {
    out: &'a mut dyn Write,
    format: PredictionFormat,
    n_best: bool,
}

impl<'a> PredictionWriter<'a> {
    /// A writer; it writes the text before the first sentence at once.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn new(out: &'a mut dyn Write, format: PredictionFormat) -> Result<Self> {
        let mut writer = Self { out, format, n_best: false };
        if format == PredictionFormat::Html {
            writer.put(html::HEAD)?;
        }
        Ok(writer)
    }

    /// Sets whether JSON lines contain the best sequences. Default: no.
    pub fn with_n_best(self, n_best: bool) -> Self {
        Self { n_best, ..self }
    }

    /// Writes one sentence.
    ///
    /// # Errors
    /// If a tag is not a BIO tag, or `out` cannot be written to.
    pub fn sentence(&mut self, sentence: &TaggedSentence) -> Result<()> {
        let TaggedSentence { tokens, tags, confidences, n_best, .. } = sentence;
        let text = match self.format {
            PredictionFormat::Bio => bio(tokens, tags),
            PredictionFormat::Inline => inline(tokens, &sentence.spans()?),
            PredictionFormat::Html => html::paragraph(tokens, &sentence.spans()?),
            PredictionFormat::Jsonl => {
                let n_best = self.n_best.then_some(n_best.as_slice());
                // Free decoding has none; a blank line has as many as it has words.
                let confidences = (confidences.len() == tokens.len()).then_some(confidences.as_slice());
                let line = Line { tokens, tags, spans: sentence.spans()?, confidences, n_best };
                serde_json::to_string(&line).map_err(|e| Error::malformed("stdout", e.to_string()))? + "\n"
            }
        };
        self.put(&text)
    }

    /// Flushes the output, so that a reader sees every sentence written so far.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|e| Error::io("stdout", e))
    }

    /// Writes the text after the last sentence.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn finish(mut self) -> Result<()> {
        if self.format == PredictionFormat::Html {
            self.put(html::TAIL)?;
        }
        self.flush()
    }

    fn put(&mut self, text: &str) -> Result<()> {
        self.out.write_all(text.as_bytes()).map_err(|e| Error::io("stdout", e))
    }
}

fn bio(tokens: &[String], tags: &[String]) -> String {
    let lines: String = tokens.iter().zip(tags).map(|(token, tag)| format!("{token}\t{tag}\n")).collect();
    lines + "\n"
}

fn inline(tokens: &[String], spans: &[TaggedSpan]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = 0;
    for span in spans {
        words.extend(tokens.get(next..span.start).unwrap_or_default().iter().cloned());
        words.push(format!("[{}]({})", span.text, span.kind));
        next = span.end;
    }
    words.extend(tokens.get(next..).unwrap_or_default().iter().cloned());
    words.join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn written(format: PredictionFormat) -> String {
        let words = |w: &[&str]| w.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let mut out = Vec::new();
        let mut writer = PredictionWriter::new(&mut out, format).unwrap();
        let sentence = TaggedSentence {
            tokens: words(&["fly", "to", "<new>", "york", "now"]),
            tags: words(&["O", "O", "B-city", "I-city", "O"]),
            ..TaggedSentence::default()
        };
        writer.sentence(&sentence).unwrap();
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_sentence_without_words_has_its_place_in_every_format() {
        let write = |format| {
            let mut out = Vec::new();
            let mut writer = PredictionWriter::new(&mut out, format).unwrap().with_n_best(true);
            writer.sentence(&TaggedSentence::default()).unwrap();
            writer.finish().unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(write(PredictionFormat::Bio), "\n");
        assert_eq!(write(PredictionFormat::Inline), "\n");
        assert!(write(PredictionFormat::Html).contains("<p></p>\n"));
        let line = write(PredictionFormat::Jsonl);
        assert_eq!(line, "{\"tokens\":[],\"tags\":[],\"spans\":[],\"confidences\":[],\"n_best\":[]}\n");
    }

    #[test]
    fn bio_is_one_word_a_line() {
        assert_eq!(written(PredictionFormat::Bio), "fly\tO\nto\tO\n<new>\tB-city\nyork\tI-city\nnow\tO\n\n");
    }

    #[test]
    fn jsonl_has_spans_with_half_open_ends() {
        let line: serde_json::Value = serde_json::from_str(&written(PredictionFormat::Jsonl)).unwrap();
        assert_eq!(line["spans"], serde_json::json!([{"type": "city", "start": 2, "end": 4, "text": "<new> york"}]));
    }

    #[test]
    fn inline_keeps_the_words_around() {
        assert_eq!(written(PredictionFormat::Inline), "fly to [<new> york](city) now\n");
    }

    #[test]
    fn html_escapes_the_text() {
        let page = written(PredictionFormat::Html);
        assert!(page.contains(">&lt;new&gt; york<small>city</small></mark> now</p>"), "{page}");
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    }
}
