//! The keys and values of tokens that were seen.

use candle_core::Device;
use peft_core::layers::KeyValues;
use peft_core::{Error, Result};
use peft_kernels::transfer;

/// The keys and values of the tokens that [`Llama::extend`](crate::Llama::extend) has seen, for every block and row.
///
/// Keys and values that methods put in front are not in it: they are added at every step.
#[derive(Debug, Clone, Default)]
pub struct KvCache {
    /// Of each block; empty before the first step.
    pub(crate) blocks: Vec<KeyValues>,
    /// Which columns hold a token, by row, including those that methods put in front of the input.
    pub(crate) tokens: Vec<Vec<bool>>,
}

impl KvCache {
    /// A cache that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of columns: tokens, padding, and what methods put in front of the input.
    pub fn len(&self) -> usize {
        self.tokens.first().map_or(0, Vec::len)
    }

    /// Whether nothing has been seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same for the batch whose row `i` is row `index[i]` of this one, when texts end. The active adapters follow with
    /// [`ActiveAdapters::select_rows`](peft_core::ActiveAdapters::select_rows).
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is no such row.
    pub fn select_rows(&self, index: &[u32], device: &Device) -> Result<Self> {
        let row = |row: &u32| {
            let missing =
                || Error::Mismatch(format!("row {row} was selected from a cache of {} rows", self.tokens.len()));
            self.tokens.get(*row as usize).cloned().ok_or_else(missing)
        };
        let tokens = index.iter().map(row).collect::<Result<_>>()?;
        let index = transfer::upload(index.to_vec(), index.len(), device)?;
        Ok(Self { blocks: self.blocks.iter().map(|kv| kv.select_rows(&index)).collect::<Result<_>>()?, tokens })
    }
}
