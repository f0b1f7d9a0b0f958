//! Answering requests one after the other.

use std::io::Read;

use serde_json::value::RawValue;

use super::{Lines, PredictionWriter, Request};
use crate::Result;
use crate::label::{Item, Labeller, TaggedSentence};

/// How requests are answered.
#[derive(Debug, Clone, Copy)]
pub struct AnswerOptions {
    /// Whether each text is labelled sentence by sentence.
    pub split_sentences: bool,
    /// Spans with a lower score are dropped.
    pub threshold: Option<f32>,
    /// The number of texts that are read before any is labelled: enough to sort by length, few enough to stream.
    pub at_once: usize,
}

/// Answers requests, and counts them.
#[derive(Debug)]
pub struct Answers<'a> {
    labeller: Labeller<'a>,
    options: AnswerOptions,
    texts: usize,
    truncated: usize,
}

impl<'a> Answers<'a> {
    /// Answers of `labeller`.
    pub fn new(labeller: Labeller<'a>, options: AnswerOptions) -> Self {
        Self { labeller, options, texts: 0, truncated: 0 }
    }

    /// The number of texts that were answered.
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// The number of words that were too long for the model.
    pub fn truncated(&self) -> usize {
        self.truncated
    }

    /// The number of texts that are read before any is labelled.
    pub(super) fn at_once(&self) -> usize {
        self.options.at_once.max(1)
    }

    /// Answers line by line. What was answered before an error has been written.
    ///
    /// # Errors
    /// If a line cannot be read, or its answer cannot be made or written.
    pub fn lines<R: Read>(&mut self, mut lines: Lines<R>, writer: &mut PredictionWriter<'_>) -> Result<()> {
        while let Some(requests) = lines.next(self.at_once())? {
            self.give(requests, writer)?;
        }
        Ok(())
    }

    /// Writes the answers to `requests`.
    ///
    /// # Errors
    /// If an answer cannot be made or written.
    pub fn give(&mut self, requests: Vec<Request>, writer: &mut PredictionWriter<'_>) -> Result<()> {
        for (labelled, id) in self.label(requests)? {
            writer.sentence(labelled, id)?;
        }
        writer.flush()
    }

    /// The answers to `requests`, each with its name.
    pub(super) fn label(&mut self, requests: Vec<Request>) -> Result<Vec<(TaggedSentence, Option<Box<RawValue>>)>> {
        let split = self.options.split_sentences;
        let (items, ids): (Vec<Item<'_>>, Vec<_>) =
            requests.into_iter().map(|Request { item, id }| (item.split_sentences(split), id)).unzip();
        self.texts += items.len();
        let labelled = self.labeller.label(items)?.into_iter().zip(ids);
        let answer = |(labelled, id): (TaggedSentence, _)| {
            self.truncated += labelled.truncated_words.len();
            match self.options.threshold {
                Some(threshold) => Ok((labelled.with_threshold(threshold)?, id)),
                None => Ok((labelled, id)),
            }
        };
        labelled.map(answer).collect()
    }
}
