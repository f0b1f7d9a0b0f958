//! What is added to the scores of a token's query.

use std::ops::Range;

use peft_core::PrefixPlacement;

use super::places::{Place, Places, Read};
use crate::Result;
use crate::bias::{Offsets, RelativeBias};

/// The keys that a step's tokens attend to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys<'a> {
    /// Those of the row itself, up to `more` behind the query's own position.
    Own {
        /// How many keys stand in front of the row's own.
        more: usize,
    },
    /// Those of the source: row `r` reads sentence `r / rows`.
    Source {
        /// Rows of one sentence.
        rows: usize,
        /// Keys in front of the source, which have neither bias nor mask.
        front: usize,
    },
    /// Those of the source where it has no padding.
    Packed {
        /// Rows of one sentence.
        rows: usize,
        /// Where each sentence's keys are.
        sentences: &'a [Range<usize>],
    },
}

/// What is added to the scores of a step's tokens, and which keys they see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedTerms<'a> {
    pub(crate) places: &'a Places,
    pub(crate) keys: Keys<'a>,
    /// The relative position bias.
    pub(crate) bias: Option<&'a Offsets>,
    /// Added to a query's position where the bias is looked up.
    pub(crate) later: usize,
    /// The mask of a padded source as terms, `[sentences, source]`; empty for other keys.
    pub(crate) mask: &'a [f32],
    /// Whence the bias of a row's own keys comes, for the case that more keys are put in front of them.
    pub(crate) relative: Option<&'a RelativeBias>,
}

impl<'a> PackedTerms<'a> {
    /// Those of the tokens that are read.
    pub(crate) fn of(self, read: Option<&'a Read>) -> Self {
        Self { places: read.map_or(self.places, |read| &read.places), ..self }
    }

    /// The same once `count` more keys stand in front, by the rules of a sentence that is decoded step by step.
    pub(crate) fn with_front(self, count: usize, meaning: PrefixPlacement) -> Self {
        match (self.keys, meaning) {
            (Keys::Source { rows, front }, _) => Self { keys: Keys::Source { rows, front: front + count }, ..self },
            (Keys::Own { more }, PrefixPlacement::Past) => {
                Self { keys: Keys::Own { more: more + count }, later: self.later + count, ..self }
            }
            (Keys::Own { more }, PrefixPlacement::Shifting) => Self { keys: Keys::Own { more: more + count }, ..self },
            (Keys::Own { .. }, PrefixPlacement::UncountedPast) | (Keys::Packed { .. }, _) => self,
        }
    }

    /// The bias of a row's own keys once others stand in front of them; `None` where it is not this one's to make.
    pub(crate) fn bias_in_front(&self) -> Result<Option<Offsets>> {
        let (Some(relative), Keys::Own { more }) = (self.relative, self.keys) else {
            return Ok(None);
        };
        Ok(Some(relative.offsets(self.places.end() + self.later, more)?))
    }

    /// Which keys the token at `place` sees, where each row, or each sentence of a padded source, has room for `all`.
    pub(super) fn seen(&self, place: Place, all: usize) -> Range<usize> {
        match self.keys {
            Keys::Own { more } => from(place.row * all, all.min(place.position + more + 1)),
            Keys::Source { rows, .. } => from(place.row / rows.max(1) * all, all),
            Keys::Packed { rows, sentences } => sentences.get(place.row / rows.max(1)).cloned().unwrap_or_default(),
        }
    }

    /// Adds bias and mask to `scores`, those of the token at `place` with the keys that it sees in one head.
    pub(super) fn add(&self, scores: &mut [f32], place: Place, head: usize) {
        let front = match self.keys {
            Keys::Own { .. } | Keys::Packed { .. } => 0,
            Keys::Source { front, .. } => front,
        };
        let own = scores.get_mut(front..).unwrap_or_default();
        if let Some(bias) = self.bias {
            add(own, bias.of(head, place.position + self.later));
        }
        if let Keys::Source { rows, .. } = self.keys {
            add(own, self.mask.get(place.row / rows.max(1) * own.len()..).unwrap_or_default());
        }
    }
}

fn from(first: usize, count: usize) -> Range<usize> {
    first..first + count
}

fn add(scores: &mut [f32], terms: &[f32]) {
    scores.iter_mut().zip(terms).for_each(|(score, term)| *score += term);
}
