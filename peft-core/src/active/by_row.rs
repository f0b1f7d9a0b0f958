//! Rows of a batch that use different adapters, and weights that follow their rows.

use super::stack::ActiveAdapters;
use crate::{Error, Result};

impl<'a> ActiveAdapters<'a> {
    /// One batch whose rows use different adapters: row `b` uses `adapters[rows[b]]`, and the bare backbone where that is
    /// `None`.
    ///
    /// At each site the rows of an adapter are gathered, its methods applied, and the results put back, so that each row
    /// comes out as it would in a batch of its own. An adapter with weights by row must have them for all rows of the
    /// batch; those of the rows that use it count. The same holds for an adapter that is itself made by `by_row`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a row names an adapter that is not there; if the rows do not all use the same adapter and one
    /// of those in use puts positions in front of the input or of keys and values, since rows of one batch have one length;
    /// if an adapter was made for another number of rows.
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

    /// Whether every row of a batch meets the same methods and weights, so that rows may be cut and joined at will.
    pub fn is_uniform(&self) -> bool {
        self.0.iter().all(|layer| layer.rows().is_none() && layer.batched().next().is_none())
    }

    /// The same adapters for the batch whose row `i` is row `index[i]` of this one, such as the rows that decoding goes on
    /// with: weights with a batch axis and the choice of [`by_row`](Self::by_row) follow their rows. A row may be named
    /// more than once, as the beams of a sentence are.
    ///
    /// # Errors
    /// If a row does not exist and something differs by row.
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
