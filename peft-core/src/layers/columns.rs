//! The columns of a padded batch of a decoder: which positions their tokens take, and which of each other they see.

use candle_core::Tensor;
use peft_kernels::transfer;

use crate::Result;

/// Far below every score, so that `exp` of it is exactly 0, yet finite: a row without any key stays a distribution.
const BLOCKED: f32 = -1e9;

/// Which positions tokens take in a padded row. Without padding both are the same.
///
/// Rotary positions act through differences alone, so the choice makes a difference only where a method puts positions in front: then
/// the padding of a row may be between these and the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Positions {
    /// Padding does not count: padding changes nothing. The `generate` of `transformers` counts so, except after prompt tuning.
    #[default]
    Tokens,
    /// Padding counts: column `i` is position `i`. The forward pass of `transformers` counts so, and `generate` after prompt tuning.
    Columns,
}

/// The columns of a padded batch in a decoder, of which the last `queries` are new: they see each other and those before.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use peft_core::layers::{Columns, Positions};
///
/// // Two rows; the second has padding on the left.
/// let tokens = [vec![true, true, true], vec![false, true, true]];
/// let columns = Columns { tokens: &tokens, queries: 2, window: None };
/// assert_eq!(columns.positions(Positions::Tokens, 0), [[1, 2], [0, 1]]);
/// let mask = columns.mask(0, &Tensor::zeros(1, DType::F32, &Device::Cpu)?)?.ok_or("something is hidden")?;
/// assert_eq!(mask.dims(), [2, 1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// Which columns hold a token, by row, those that were seen before included.
    pub tokens: &'a [Vec<bool>],
    /// How many columns are new.
    pub queries: usize,
    /// How many keys a query sees, itself included. `None`: all before it.
    pub window: Option<usize>,
}

impl Columns<'_> {
    /// The positions of the queries, one list for each row, moved up by `moved`. If they are the same in all rows, there is one list.
    pub fn positions(&self, counted: Positions, moved: usize) -> Vec<Vec<usize>> {
        let mut positions: Vec<Vec<usize>> = self.tokens.iter().map(|row| self.of_row(row, counted, moved)).collect();
        if all_equal(&positions) {
            positions.truncate(1);
        }
        positions
    }

    fn of_row(&self, row: &[bool], counted: Positions, moved: usize) -> Vec<usize> {
        let mut tokens = 0;
        let all = row.iter().enumerate().map(|(column, token)| {
            let position = if counted == Positions::Columns { column } else { tokens };
            tokens += usize::from(*token);
            position + moved
        });
        all.skip(row.len().saturating_sub(self.queries)).collect()
    }

    /// The term of attention scores that hides from each query the keys that come after it, are padding or are outside its window, `[batch
    /// or 1, 1, queries, front + keys]`, of the type and on the device of `like`. `None` where it would hide nothing. Methods put `front` keys
    /// before the others: padding does not hide them, and a window counts them.
    ///
    /// # Errors
    /// If the tensor cannot be made.
    pub fn mask(&self, front: usize, like: &Tensor) -> Result<Option<Tensor>> {
        let rows = if all_equal(self.tokens) { 1 } else { self.tokens.len() };
        let keys = front + self.tokens.first().map_or(0, Vec::len);
        let mut terms = Vec::with_capacity(rows * self.queries * keys);
        for row in self.tokens.iter().take(rows) {
            for query in keys.saturating_sub(self.queries)..keys {
                let first = self.window.map_or(0, |window| (query + 1).saturating_sub(window));
                let is_token = |key: usize| key < front || row.get(key - front).is_some_and(|token| *token);
                let seen = |key: usize| (first..=query).contains(&key) && is_token(key);
                terms.extend((0..keys).map(|key| if seen(key) { 0. } else { BLOCKED }));
            }
        }
        if terms.iter().all(|term| *term == 0.) {
            return Ok(None);
        }
        let mask = transfer::upload(terms, (rows, 1, self.queries, keys), like.device())?;
        Ok(Some(mask.to_dtype(like.dtype())?))
    }
}

fn all_equal<T: PartialEq>(rows: &[T]) -> bool {
    rows.windows(2).all(|pair| matches!(pair, [one, other] if one == other))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device};

    use super::*;

    const T: bool = true;
    const F: bool = false;

    fn columns(tokens: &[Vec<bool>], queries: usize, window: Option<usize>) -> Columns<'_> {
        Columns { tokens, queries, window }
    }

    /// The mask as text: `+` is seen. One string a query.
    fn seen(columns: &Columns<'_>, front: usize) -> Vec<String> {
        let mask = columns.mask(front, &Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap()).unwrap();
        let Some(mask) = mask else { return Vec::new() };
        let (rows, _, queries, keys) = mask.dims4().unwrap();
        let queries = mask.reshape((rows * queries, keys)).unwrap().to_vec2::<f32>().unwrap();
        queries.iter().map(|keys| keys.iter().map(|term| if *term == 0. { '+' } else { '-' }).collect()).collect()
    }

    #[test]
    fn a_query_sees_itself_and_the_tokens_before_it() {
        let whole = [vec![T, T, T]];
        assert_eq!(seen(&columns(&whole, 3, None), 0), ["+--", "++-", "+++"]);
        assert_eq!(seen(&columns(&whole, 3, None), 2), ["+++--", "++++-", "+++++"]);
        assert_eq!(seen(&columns(&whole, 1, None), 4), [""; 0]);
        let padded = [vec![F, T, T], vec![T, T, T]];
        assert_eq!(seen(&columns(&padded, 2, None), 1), ["+-+-", "+-++", "+++-", "++++"]);
    }

    #[test]
    fn a_window_counts_columns_with_what_is_in_front() {
        let tokens = [vec![T, T, T]];
        assert_eq!(seen(&columns(&tokens, 3, Some(2)), 0), ["+--", "++-", "-++"]);
        assert_eq!(seen(&columns(&tokens, 3, Some(2)), 1), ["++--", "-++-", "--++"]);
    }

    #[test]
    fn positions_count_tokens_or_columns() {
        let tokens = [vec![F, T, T, T], vec![T, T, F, T]];
        let columns = columns(&tokens, 3, None);
        assert_eq!(columns.positions(Positions::Tokens, 5), [[5, 6, 7], [6, 7, 7]]);
        assert_eq!(columns.positions(Positions::Columns, 5), [[6, 7, 8]], "rows share them");
    }
}
