//! Which row and position each token of a step belongs to.

use candle_core::{Device, Tensor};

use crate::Result;

/// Where one token of a step belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The row of the cache.
    pub(crate) row: usize,
    /// The position in the row's target sentence.
    pub(crate) position: usize,
}

/// The places of the tokens of a step, in their order; `None` for a token that only fills a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places(pub(crate) Vec<Option<Place>>);

impl Places {
    /// Successive tokens of one row, as the first token, the number of tokens and the place of the first.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, usize, Place)> {
        let mut next = 0;
        std::iter::from_fn(move || {
            while let Some(place) = self.0.get(next) {
                let first = next;
                next += 1;
                let Some(start) = place else { continue };
                let follows = |at: usize| {
                    let position = start.position + at - first;
                    self.0.get(at) == Some(&Some(Place { position, ..*start }))
                };
                while follows(next) {
                    next += 1;
                }
                return Some((first, next - first, *start));
            }
            None
        })
    }

    /// One more than the last position.
    pub(crate) fn end(&self) -> usize {
        self.0.iter().flatten().map(|place| place.position + 1).max().unwrap_or_default()
    }
}

/// The tokens of a step whose output is read.
#[derive(Debug)]
pub(crate) struct Read {
    /// Which they are among all of the step, `[n]`.
    tokens: Tensor,
    /// Their places.
    pub(crate) places: Places,
}

impl Read {
    pub(super) fn new(tokens: &[u32], places: &Places, device: &Device) -> Result<Self> {
        let own = tokens.iter().map(|token| places.0.get(*token as usize).copied().flatten()).collect();
        Ok(Self { tokens: Tensor::new(tokens, device)?, places: Places(own) })
    }

    /// These tokens of `x [1, tokens, d]`.
    pub(crate) fn of(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.index_select(&self.tokens, 1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_successive_positions_of_one_row() {
        let at = |row, position| Some(Place { row, position });
        let places = Places(vec![at(0, 3), at(0, 4), None, at(2, 0), at(2, 2), at(5, 3)]);
        let runs: Vec<_> =
            places.runs().map(|(first, count, place)| (first, count, place.row, place.position)).collect();
        assert_eq!(runs, [(0, 2, 0, 3), (3, 1, 2, 0), (4, 1, 2, 2), (5, 1, 5, 3)]);
        assert_eq!(places.end(), 5);
    }
}
