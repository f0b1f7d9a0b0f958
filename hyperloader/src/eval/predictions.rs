//! Predictions as files: one line of JSON a sentence.

use std::io::Write;
use std::path::Path;

use datasets::Example;
use datasets::metrics::{ScoringMode, Span, spans};
use peft_files::{Staged, parse_json, read_text, stage};
use serde::{Deserialize, Serialize};

use crate::label::TaggedSentence;
use crate::{Error, Result};

/// One sentence with its gold and predicted tags: a line of `predictions/<split>/<task>.jsonl` in a run folder.
///
/// ```text
/// {"words":["to","rome"],"gold":["O","B-city"],"predicted":["O","B-city"],"spans":[{"type":"city","start":1,"end":2,"score":0.93}]}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The words.
    pub words: Vec<String>,
    /// The gold BIO tag of each word.
    pub gold: Vec<String>,
    /// The predicted BIO tag of each word.
    pub predicted: Vec<String>,
    /// The predicted spans, from left to right.
    pub spans: Vec<PredictedSpan>,
}

/// A span that the model predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictedSpan {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number of its first word, counted from 0.
    pub start: usize,
    /// The number after that of its last word.
    pub end: usize,
    /// The probability of its tags: the product of the probabilities of its words' tags, each given the tags before it. Free
    /// decoding has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

impl PredictedSpan {
    /// `span` with its probability, if it is known.
    pub(crate) fn new(span: Span<'_>, score: Option<f64>) -> Self {
        Self { kind: span.kind.to_owned(), start: span.start, end: span.end, score }
    }
}

impl Prediction {
    /// The prediction `labelled` for `example`.
    ///
    /// # Errors
    /// If a predicted tag is not a BIO tag; a labeller writes no such tag.
    pub fn new(example: &Example, labelled: TaggedSentence) -> Result<Self> {
        let score = |span: &Span<'_>| -> Option<f64> {
            let words = labelled.confidences.get(span.start..span.end)?;
            Some(words.iter().copied().map(f64::from).product())
        };
        let found = spans(&labelled.tags, ScoringMode::Default)?.into_iter();
        let spans = found.map(|span| PredictedSpan::new(span, score(&span))).collect();
        Ok(Self { words: labelled.tokens, gold: example.tags.clone(), predicted: labelled.tags, spans })
    }

    /// What is wrong with the numbers of tags and the places of spans, if anything is.
    fn fault(&self) -> Option<String> {
        let words = self.words.len();
        for (name, tags) in [("gold", &self.gold), ("predicted", &self.predicted)] {
            if tags.len() != words {
                return Some(format!("{words} words, but {} tags in {name:?}", tags.len()));
            }
        }
        let outside = self.spans.iter().find(|span| span.start >= span.end || span.end > words)?;
        Some(format!("a span from {} to {} in a sentence of {words} words", outside.start, outside.end))
    }
}

/// Writes `predictions`, each a [`Prediction`] or the JSON of one, next to `path`. They take their place with [`Staged::commit`].
///
/// # Errors
/// If the file cannot be written.
pub fn stage_predictions(path: impl AsRef<Path>, predictions: &[impl Serialize]) -> Result<Staged> {
    let write = |file: &mut std::io::BufWriter<std::fs::File>| -> std::io::Result<()> {
        for prediction in predictions {
            serde_json::to_writer(&mut *file, prediction)?;
            writeln!(file)?;
        }
        Ok(())
    };
    Ok(stage(path, write)?.0)
}

/// Writes `predictions` to the file at `path`: all of them, or none.
///
/// # Errors
/// If the file cannot be written.
pub fn write_predictions(path: impl AsRef<Path>, predictions: &[Prediction]) -> Result<()> {
    Ok(stage_predictions(path, predictions)?.commit()?)
}

/// The predictions in the file at `path`.
///
/// # Errors
/// If the file cannot be read, and with the line if it is no prediction, or if its words, tags and spans do not fit together.
pub fn read_predictions(path: impl AsRef<Path>) -> Result<Vec<Prediction>> {
    let path = path.as_ref();
    let text = read_text(path)?;
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(number, line): (usize, &str)| {
        let at = || format!("{}:{}", path.display(), number + 1);
        let prediction: Prediction = parse_json("a line", line).map_err(|error| {
            let reason = error.to_string();
            Error::malformed(at(), reason.split_once(": ").map_or(reason.as_str(), |(_, reason)| reason))
        })?;
        match prediction.fault() {
            Some(fault) => Err(Error::malformed(at(), fault)),
            None => Ok(prediction),
        }
    };
    numbered.map(read).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn prediction() -> Prediction {
        let strings = |words: [&str; 3]| words.map(str::to_owned).to_vec();
        let labelled = TaggedSentence {
            tokens: strings(["to", "new", "york"]),
            tags: strings(["O", "B-city", "I-city"]),
            confidences: vec![0.9, 0.5, 0.25],
            ..TaggedSentence::default()
        };
        Prediction::new(&Example::new(["to", "new", "york"], ["O", "O", "B-city"]), labelled).unwrap()
    }

    #[test]
    fn a_span_has_the_probability_of_its_tags_and_free_decoding_has_none() {
        let span = PredictedSpan { kind: "city".to_owned(), start: 1, end: 3, score: Some(0.125) };
        assert_eq!(prediction().spans, [span]);
        let free = TaggedSentence { tokens: vec!["rome".into()], tags: vec!["B-city".into()], ..Default::default() };
        let free = Prediction::new(&Example::new(["rome"], ["O"]), free).unwrap();
        assert_eq!(
            serde_json::to_value(&free.spans).unwrap(),
            serde_json::json!([{"type": "city", "start": 0, "end": 1}])
        );
    }

    #[test]
    fn predictions_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home.jsonl");
        let written = vec![prediction(), prediction()];
        write_predictions(&path, &written).unwrap();
        assert_eq!(read_predictions(&path).unwrap(), written);
        let line = r#"{"words":["to","new","york"],"gold":["O","O","B-city"],"predicted":["O","B-city","I-city"],"spans":[{"type":"city","start":1,"end":3,"score":0.125}]}"#;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{line}\n{line}\n"));
    }

    #[test]
    fn a_line_that_does_not_fit_together_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home.jsonl");
        let good = r#"{"words":["a"],"gold":["O"],"predicted":["O"],"spans":[]}"#;
        for (bad, reason) in [
            (r#"{"words":["a"],"gold":["O"],"predicted":[],"spans":[]}"#, "1 words, but 0 tags in \"predicted\""),
            (
                r#"{"words":["a"],"gold":["O"],"predicted":["O"],"spans":[{"type":"x","start":0,"end":2}]}"#,
                "from 0 to 2",
            ),
            (r#"{"words":["a"],"gold":["O"],"predicted":["O"]}"#, "spans"),
            (r#"{"words":["a"#, "JSON"),
        ] {
            std::fs::write(&path, format!("{good}\n{bad}\n")).unwrap();
            let message = read_predictions(&path).unwrap_err().to_string();
            assert!(message.contains("home.jsonl:2: ") && message.contains(reason), "{message}");
        }
    }
}
