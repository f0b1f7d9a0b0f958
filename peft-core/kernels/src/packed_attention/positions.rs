//! Which sequence and position each token has.

/// Where one token belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenPosition {
    /// The row of the keys and values: one sequence.
    pub row: usize,
    /// The position in the sequence, from 0.
    pub position: usize,
}

/// The positions of the tokens of a step, in their order; `None` for a token that only fills a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPositions(pub Vec<Option<TokenPosition>>);

impl TokenPositions {
    /// Successive tokens of one row, as the first token, the number of tokens and the position of the first.
    pub fn runs(&self) -> impl Iterator<Item = (usize, usize, TokenPosition)> {
        let mut next = 0;
        std::iter::from_fn(move || {
            while let Some(token) = self.0.get(next) {
                let first = next;
                next += 1;
                let Some(start) = token else { continue };
                let follows = |at: usize| {
                    let position = start.position + at - first;
                    self.0.get(at) == Some(&Some(TokenPosition { position, ..*start }))
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
    pub fn end(&self) -> usize {
        self.0.iter().flatten().map(|token| token.position + 1).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_successive_positions_of_one_row() {
        let at = |row, position| Some(TokenPosition { row, position });
        let tokens = TokenPositions(vec![at(0, 3), at(0, 4), None, at(2, 0), at(2, 2), at(5, 3)]);
        let runs: Vec<_> =
            tokens.runs().map(|(first, count, token)| (first, count, token.row, token.position)).collect();
        assert_eq!(runs, [(0, 2, 0, 3), (3, 1, 2, 0), (4, 1, 2, 2), (5, 1, 5, 3)]);
        assert_eq!(tokens.end(), 5);
    }
}
