//! Writing labelled texts one at a time.

use std::io::Write;
use std::path::PathBuf;

use serde_json::value::RawValue;

use super::html;
use crate::label::{Answer, Entity, EntityGroup, TaggedSentence, to_bytes};
use crate::{Error, Result};

/// How predicted tags are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum PredictionFormat {
    /// One `word<TAB>tag` a line, a blank line between texts
    Bio,
    /// One JSON object a line, with text, tokens, tags, spans and confidences
    ///
    /// It is an [`Answer`]. A blank line gets an object with empty lists.
    Jsonl,
    /// The text with its spans in brackets: `play [jazz](genre)`
    Inline,
    /// One page with colored spans
    Html,
    /// One JSON list a line, as the token classification pipeline of Hugging Face returns it
    ///
    /// It holds an object for each span, with the keys `entity_group`, `score`, `word`, `start` and `end`.
    Hf,
    /// The rows of a Parquet file with all their columns, and the answers in more columns
    ///
    /// They are `predicted_tokens`, `predicted_tags`, `predicted_confidences` and `predicted_spans`.
    Parquet,
}

impl PredictionFormat {
    /// The ending of the names of files in this format.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Bio => "bio",
            Self::Jsonl | Self::Hf => "jsonl",
            Self::Inline => "txt",
            Self::Html => "html",
            Self::Parquet => "parquet",
        }
    }
}

/// Writes labelled texts in one format.
pub struct PredictionWriter<'a> {
    out: &'a mut dyn Write,
    name: PathBuf,
    format: PredictionFormat,
    n_best: bool,
}

impl<'a> PredictionWriter<'a> {
    /// A writer to `out`, which errors call `name`; it writes what comes before the first text at once.
    ///
    /// # Errors
    /// If `out` cannot be written to; [`Error::Config`] for Parquet, which [`Answers::table`](super::Answers::table) writes.
    pub fn new(out: &'a mut dyn Write, name: impl Into<PathBuf>, format: PredictionFormat) -> Result<Self> {
        if format == PredictionFormat::Parquet {
            return Err(Error::Config("answers to lines cannot be columns of a Parquet file".into()));
        }
        let mut writer = Self { out, name: name.into(), format, n_best: false };
        if format == PredictionFormat::Html {
            writer.put(html::HEAD)?;
        }
        Ok(writer)
    }

    /// Sets whether JSON lines contain the best sequences. Default: no.
    pub fn with_n_best(self, n_best: bool) -> Self {
        Self { n_best, ..self }
    }

    /// Writes one text, which the caller named `id`.
    ///
    /// # Errors
    /// If a tag is not a BIO tag, the format needs scores and there are none, or `out` cannot be written to.
    pub fn sentence(&mut self, sentence: TaggedSentence, id: Option<Box<RawValue>>) -> Result<()> {
        let text = match self.format {
            PredictionFormat::Bio => bio(&sentence),
            PredictionFormat::Inline => {
                let spans = sentence.spans()?;
                parts(&sentence.text, &spans).into_iter().map(inline).collect::<String>() + "\n"
            }
            PredictionFormat::Html => {
                let spans = sentence.spans()?;
                html::paragraph(parts(&sentence.text, &spans))
            }
            PredictionFormat::Jsonl => Answer::new(sentence, self.n_best)?.with_id(id).to_json()? + "\n",
            PredictionFormat::Hf => {
                let groups: Vec<EntityGroup> =
                    sentence.spans()?.into_iter().map(EntityGroup::try_from).collect::<Result<_>>()?;
                serde_json::to_string(&groups).map_err(|e| Error::malformed(&self.name, e.to_string()))? + "\n"
            }
            PredictionFormat::Parquet => return Err(Error::Internal("a writer of lines for Parquet".into())),
        };
        self.put(&text)
    }

    /// Flushes the output, so that a reader sees every text written so far.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|e| Error::io(&self.name, e))
    }

    /// Writes what comes after the last text.
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
        self.out.write_all(text.as_bytes()).map_err(|e| Error::io(&self.name, e))
    }
}

/// White space in a word, which would end its column or its line, becomes one blank.
fn bio(sentence: &TaggedSentence) -> String {
    let word = |token: &String| token.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines = sentence.tokens.iter().zip(&sentence.tags).map(|(token, tag)| format!("{}\t{tag}\n", word(token)));
    lines.collect::<String>() + "\n"
}

fn inline((text, span): (&str, Option<&Entity>)) -> String {
    match span {
        Some(span) => format!("[{text}]({})", span.kind),
        None => text.to_owned(),
    }
}

/// `text` in parts, from left to right: what is in a span, with it, and what is between spans.
fn parts<'a>(text: &'a str, spans: &'a [Entity]) -> Vec<(&'a str, Option<&'a Entity>)> {
    let (mut parts, mut next) = (Vec::with_capacity(2 * spans.len() + 1), 0);
    let places = to_bytes(text, spans.iter().map(|span| span.start..span.end));
    for (span, place) in spans.iter().zip(places) {
        parts.push((text.get(next..place.start).unwrap_or_default(), None));
        next = place.end;
        parts.push((text.get(place).unwrap_or_default(), Some(span)));
    }
    parts.push((text.get(next..).unwrap_or_default(), None));
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn write(format: PredictionFormat, sentence: TaggedSentence) -> String {
        let mut out = Vec::new();
        let mut writer = PredictionWriter::new(&mut out, "stdout", format).unwrap().with_n_best(true);
        writer.sentence(sentence, None).unwrap();
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn written(format: PredictionFormat) -> String {
        let words = ["fly", "to", "<new>", "york", "now"];
        let sentence = TaggedSentence {
            text: "fly to  <new>  york now".to_owned(),
            tokens: words.map(str::to_owned).to_vec(),
            offsets: vec![0..3, 4..6, 8..13, 15..19, 20..23],
            tags: ["O", "O", "B-city", "I-city", "O"].map(str::to_owned).to_vec(),
            confidences: vec![1., 1., 0.5, 0.25, 1.],
            ..TaggedSentence::default()
        };
        write(format, sentence)
    }

    #[test]
    fn a_text_without_words_has_its_place_in_every_format() {
        let write = |format| write(format, TaggedSentence::default());
        assert_eq!(write(PredictionFormat::Bio), "\n");
        assert_eq!(write(PredictionFormat::Inline), "\n");
        assert_eq!(write(PredictionFormat::Hf), "[]\n");
        assert!(write(PredictionFormat::Html).contains("<p dir=\"auto\"></p>\n"));
        let line = write(PredictionFormat::Jsonl);
        let expected = r#"{"text":"","tokens":[],"offsets":[],"tags":[],"spans":[],"confidences":[],"n_best":[]}"#;
        assert_eq!(line, format!("{expected}\n"));
    }

    #[test]
    fn bio_is_one_word_a_line() {
        assert_eq!(written(PredictionFormat::Bio), "fly\tO\nto\tO\n<new>\tB-city\nyork\tI-city\nnow\tO\n\n");
    }

    #[test]
    fn jsonl_has_spans_in_characters_and_in_words() {
        let line: serde_json::Value = serde_json::from_str(&written(PredictionFormat::Jsonl)).unwrap();
        let span = serde_json::json!(
            {"type": "city", "start": 8, "end": 19, "text": "<new>  york", "word_start": 2, "word_end": 4, "score": 0.375}
        );
        assert_eq!(line["spans"], serde_json::json!([span]));
    }

    #[test]
    fn hf_has_the_keys_of_the_pipeline() {
        let line = r#"[{"entity_group":"city","score":0.375,"word":"<new>  york","start":8,"end":19}]"#;
        assert_eq!(written(PredictionFormat::Hf), format!("{line}\n"));
    }

    #[test]
    fn inline_keeps_the_text_around() {
        assert_eq!(written(PredictionFormat::Inline), "fly to  [<new>  york](city) now\n");
    }

    #[test]
    fn html_escapes_the_text() {
        let page = written(PredictionFormat::Html);
        assert!(page.contains(">&lt;new&gt;  york<small>city</small></mark> now</p>"), "{page}");
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    }
}
