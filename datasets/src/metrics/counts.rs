//! Counts of correct, predicted and gold spans, sentence by sentence.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::spans::{ScoringMode, spans};
use crate::error::{Error, Result};

/// The counts from which a [`SpanReport`](super::SpanReport) is computed. Add sentences one at a time, and merge the
/// counts of several workers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanCounts {
    pub(super) mode: ScoringMode,
    pub(super) types: BTreeMap<String, TypeCounts>,
    pub(super) sentences: usize,
    pub(super) tokens: usize,
    pub(super) right_tokens: usize,
}

/// Spans of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypeCounts {
    pub(super) gold: usize,
    pub(super) predicted: usize,
    pub(super) right: usize,
}

impl TypeCounts {
    pub(super) fn add(&mut self, other: Self) {
        self.gold += other.gold;
        self.predicted += other.predicted;
        self.right += other.right;
    }
}

impl SpanCounts {
    /// Counts without sentences.
    #[must_use]
    pub fn new(mode: ScoringMode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Adds a sentence: its gold tags and an equal number of predicted tags.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] (see [`labels::fit`](crate::labels::fit)), [`Error::MalformedTag`].
    pub fn add<G: AsRef<str>, P: AsRef<str>>(&mut self, gold: &[G], predicted: &[P]) -> Result<()> {
        if gold.len() != predicted.len() {
            return Err(Error::LengthMismatch {
                what: format!("sentence {}, gold and predicted tags", self.sentences + 1),
                left: gold.len(),
                right: predicted.len(),
            });
        }
        let gold_spans = spans(gold, self.mode)?;
        let predicted_spans = spans(predicted, self.mode)?;
        let right: HashSet<_> = gold_spans.iter().collect();
        for span in &gold_spans {
            self.of_type(span.kind).gold += 1;
        }
        for span in &predicted_spans {
            let counts = self.of_type(span.kind);
            counts.predicted += 1;
            counts.right += usize::from(right.contains(span));
        }
        self.sentences += 1;
        self.tokens += gold.len();
        let pairs = gold.iter().zip(predicted);
        self.right_tokens += pairs.filter(|(g, p)| g.as_ref() == p.as_ref()).count();
        Ok(())
    }

    /// Adds the counts of other sentences.
    ///
    /// # Errors
    /// [`Error::Invalid`] if they were counted in another mode.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.mode != other.mode {
            return Err(Error::Invalid("spans counted in strict and in default mode cannot be added".to_owned()));
        }
        for (kind, counts) in &other.types {
            self.of_type(kind).add(*counts);
        }
        self.sentences += other.sentences;
        self.tokens += other.tokens;
        self.right_tokens += other.right_tokens;
        Ok(())
    }

    fn of_type(&mut self, kind: &str) -> &mut TypeCounts {
        self.types.entry(kind.to_owned()).or_default()
    }
}
