//! The state of autoregressive decoding: keys and values of what was decoded, and of the encoder's output.

use candle_core::{Device, Tensor};

use super::attention::KeyValues;
use crate::{Error, Result};

/// The keys and values of all decoder blocks.
///
/// It is an argument of [`T5::decode_step`](super::T5::decode_step), which appends to it; it cannot be cloned, because
/// the buffers are written in place.
///
/// Cross-attention keeps one row for each sentence, however many beams the sentence has.
#[derive(Debug)]
pub struct Cache {
    layers: Vec<LayerCache>,
    /// The encoder's padding as a term of scores, `[sentences, 1, 1, source]`.
    padding: Tensor,
    len: usize,
    capacity: usize,
}

/// What one block keeps.
#[derive(Debug)]
pub(super) struct LayerCache {
    /// Of the target tokens so far, for self-attention.
    pub(super) past: Past,
    /// Of the encoder's output, for cross-attention.
    pub(super) memory: KeyValues,
}

impl Cache {
    pub(super) fn new(padding: Tensor, memories: impl Iterator<Item = KeyValues>, capacity: usize) -> Self {
        let layer = |memory| LayerCache { past: Past::default(), memory };
        Self { layers: memories.map(layer).collect(), padding, len: 0, capacity }
    }

    /// How many target tokens of each sentence were decoded.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The device of the keys and values.
    pub fn device(&self) -> &Device {
        self.padding.device()
    }

    /// Keeps the sentences `rows` (`u32 [k]`), in that order and each as often as it is named. Every sentence has one
    /// beam.
    ///
    /// # Errors
    /// If a row does not exist.
    pub fn select_rows(&mut self, rows: &Tensor) -> Result<()> {
        self.select_sentences(rows)?;
        self.select_beams(rows)
    }

    /// Replaces what was decoded: row `i` continues what row `rows[i]` (`u32 [k]`) holds. The beams of one sentence lie
    /// side by side, in the order of the sentences, and each sentence has the same number of them.
    ///
    /// # Errors
    /// If a row does not exist.
    pub fn select_beams(&mut self, rows: &Tensor) -> Result<()> {
        self.layers.iter_mut().try_for_each(|layer| layer.past.select_rows(rows))
    }

    /// Keeps the encoder output of the sentences `rows` (`u32 [k]`); [`select_beams`](Self::select_beams) must follow.
    ///
    /// # Errors
    /// If a row does not exist.
    pub fn select_sentences(&mut self, rows: &Tensor) -> Result<()> {
        self.padding = self.padding.index_select(rows, 0)?;
        for LayerCache { memory, .. } in &mut self.layers {
            memory.keys = memory.keys.index_select(rows, 0)?;
            memory.values = memory.values.index_select(rows, 0)?;
        }
        Ok(())
    }

    /// The encoder's padding as a term of scores.
    pub(super) fn padding(&self) -> &Tensor {
        &self.padding
    }

    pub(super) fn layers_mut(&mut self) -> std::slice::IterMut<'_, LayerCache> {
        self.layers.iter_mut()
    }

    /// Makes `n` more tokens of each sentence count, and says where they go.
    pub(super) fn advance(&mut self, n: usize) -> Result<Span> {
        let (first, capacity) = (self.len, self.capacity);
        if first + n > capacity {
            return Err(Error::Mismatch(format!("the cache holds {first} of {capacity} tokens: {n} more do not fit")));
        }
        self.len += n;
        Ok(Span { first, room: self.len.next_multiple_of(GROWTH).min(capacity) })
    }
}

/// By how many positions buffers grow at once.
const GROWTH: usize = 16;

/// Where new tokens go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The position of the first one.
    pub(super) first: usize,
    /// The length of the buffers, at least up to the last one. Positions behind it hold nothing and must be masked:
    /// that is cheaper than to copy what is held into tensors of just that length.
    pub(super) room: usize,
}

/// The keys and values of the target tokens so far, in buffers `[batch, room, features]`.
#[derive(Debug, Default)]
pub(super) struct Past {
    keys: Option<Tensor>,
    values: Option<Tensor>,
}

impl Past {
    /// Writes `new` to its `span` and gives the whole buffers.
    pub(super) fn append(&mut self, new: &KeyValues, span: Span) -> Result<KeyValues> {
        let keys = append(self.keys.take(), &new.keys, span)?;
        let values = append(self.values.take(), &new.values, span)?;
        (self.keys, self.values) = (Some(keys.clone()), Some(values.clone()));
        Ok(KeyValues { keys, values })
    }

    fn select_rows(&mut self, rows: &Tensor) -> Result<()> {
        for buffer in [&mut self.keys, &mut self.values] {
            *buffer = buffer.take().map(|buffer| buffer.index_select(rows, 0)).transpose()?;
        }
        Ok(())
    }
}

/// `buffer`, made longer if need be, with `new` at `span`.
fn append(buffer: Option<Tensor>, new: &Tensor, span: Span) -> Result<Tensor> {
    let (batch, _, features) = new.dims3()?;
    let buffer = match buffer {
        Some(buffer) if buffer.dim(1)? >= span.room => buffer,
        old => {
            let longer = Tensor::zeros((batch, span.room, features), new.dtype(), new.device())?;
            if let Some(old) = old {
                longer.slice_set(&old, 1, 0)?;
            }
            longer
        }
    };
    buffer.slice_set(&new.contiguous()?, 1, span.first)?;
    Ok(buffer)
}
