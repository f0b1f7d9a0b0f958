//! Rows of a batch that use different adapters, and weights that follow their rows.

use super::stack::ActiveAdapters;
use crate::{Error, Result};

impl<'a> ActiveAdapters<'a> {
    /// One batch whose rows use different adapters: row `b` uses `adapters[rows[b]]`, or the bare backbone if `rows[b]` is
    /// `None`.
    ///
    /// At each site the rows of an adapter are gathered, its methods are applied, and the results are put back. Each row
    /// gives the same output as in a batch of its own. An adapter with different weights by row must have weights for all
    /// rows of the batch, though only those of the rows that use it matter. The same is true of an adapter that was itself
    /// made by `by_row`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] in three cases: a row names an adapter that does not exist; an adapter was made for another number
    /// of rows; or the rows use different adapters and one of these puts positions in front of the input or of keys and
    /// values (all rows of a batch must have one length).
    pub fn by_row(rows: &[Option<usize>], adapters: &[Self]) -> Result<Self> {
        let unknown = rows.iter().enumerate().find_map(|(b, a)| a.filter(|a| *a >= adapters.len()).map(|a| (b, a)));
        if let Some((row, adapter)) = unknown {
            let count = adapters.len();
            return Err(Error::Mismatch(format!("row {row} uses adapter number {adapter}, there are {count}")));
        }
        if let Some(first) = rows.first().filter(|first| rows.iter().all(|row| row == *first)) {
            return Ok(first.and_then(|a| adapters.get(a)).cloned().unwrap_or_default());
        }
        let mut layers = Vec::new();
        for (number, adapter) in adapters.iter().enumerate() {
            let keep: Vec<u32> = (0..).zip(rows).filter(|(_, a)| **a == Some(number)).map(|(row, _)| row).collect();
            if keep.is_empty() {
                continue;
            }
            for layer in &adapter.0 {
                if let Some(path) = layer.longer_site() {
                    return Err(longer(number, path));
                }
                layers.extend(layer.restrict(&keep, rows.len())?);
            }
        }
        Ok(Self(layers))
    }

    /// Whether all rows of a batch use the same methods and weights. Then rows can be dropped and reordered freely.
    pub fn is_uniform(&self) -> bool {
        self.0.iter().all(|layer| layer.rows().is_none() && layer.batched().next().is_none())
    }

    /// The same adapters for the batch whose row `i` is row `index[i]` of this one. Weights with a batch axis and the choice
    /// of [`by_row`](Self::by_row) follow their rows. A row may appear more than once. Decoding uses it when sentences
    /// finish and when beams split.
    ///
    /// # Errors
    /// If a row does not exist, and the adapters or their weights differ by row.
    pub fn select_rows(&self, index: &[u32]) -> Result<Self> {
        let layers = self.0.iter().map(|layer| layer.select(index).transpose());
        layers.flatten().collect::<Result<_>>().map(Self)
    }
}

fn longer(adapter: usize, path: &str) -> Error {
    Error::Mismatch(format!(
        "adapter number {adapter} puts positions in front at {path}, which would make its rows longer than the others; \
         use it for all rows of a batch, or in a batch of its own"
    ))
}
