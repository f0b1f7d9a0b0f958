//! The state of rows that are decoded at their own pace.

use candle_core::Tensor;

use super::encoded::Sentences;
use super::places::{Place, Places};
use crate::attention::KeyValues;
use crate::bias::Offsets;
use crate::{Error, Result};

/// Keys and values of all decoder blocks, with a length for each row.
///
/// A row that is not fed costs nothing; one that was fed too much is cut back with [`truncate`](Self::truncate), since what
/// lies behind its length is never read. Rows of one sentence (hypotheses) lie side by side and share the encoder's output.
#[derive(Debug)]
pub struct PackedKvCache {
    pub(super) layers: Vec<(PackedPast, KeyValues)>,
    lens: Vec<usize>,
    /// Rows of one sentence.
    pub(super) rows: usize,
    /// Where each sentence's keys are in the encoder's output.
    pub(super) sentences: Sentences,
    /// The biases of self- and of cross-attention, by offset.
    pub(super) bias: Offsets,
    pub(super) cross_bias: Option<Offsets>,
}

impl PackedKvCache {
    pub(super) fn new(
        memories: Vec<KeyValues>,
        sentences: Sentences,
        rows: usize,
        capacity: usize,
        bias: Offsets,
        cross_bias: Option<Offsets>,
    ) -> Result<Self> {
        let count = sentences.count() * rows;
        let past = |memory: KeyValues| -> Result<(PackedPast, KeyValues)> {
            Ok((PackedPast::new(&memory, count, capacity)?, memory))
        };
        Ok(Self {
            layers: memories.into_iter().map(past).collect::<Result<_>>()?,
            lens: vec![0; count],
            rows,
            sentences,
            bias,
            cross_bias,
        })
    }

    /// How many target tokens each row holds.
    pub fn lens(&self) -> &[usize] {
        &self.lens
    }

    /// Forgets what row `row` holds behind its first `len` tokens.
    pub fn truncate(&mut self, row: usize, len: usize) {
        if let Some(own) = self.lens.get_mut(row) {
            *own = len.min(*own);
        }
    }

    /// Replaces what was decoded: row `i` holds what row `origins[i]` held, a row of the same sentence.
    ///
    /// # Errors
    /// If a row does not exist.
    pub fn select(&mut self, origins: &[u32]) -> Result<()> {
        if (0..).zip(origins).all(|(row, origin)| row == *origin) {
            return Ok(());
        }
        self.lens = origins.iter().map(|&origin| self.lens.get(origin as usize).copied().unwrap_or_default()).collect();
        for (past, memory) in &mut self.layers {
            past.select(&Tensor::new(origins, memory.keys.device())?)?;
        }
        Ok(())
    }

    /// Makes `count` more tokens of row `row` count, and says where they go.
    pub(super) fn advance(&mut self, row: usize, count: usize) -> Result<impl Iterator<Item = Place> + use<>> {
        let rows = self.lens.len();
        let len = self
            .lens
            .get_mut(row)
            .ok_or_else(|| Error::Mismatch(format!("the cache has {rows} rows, not row {row}")))?;
        let first = *len;
        *len += count;
        Ok((first..*len).map(move |position| Place { row, position }))
    }
}

/// One block's keys and values of the target tokens, `[rows, room, width]`, of the type of those of the source; only a row's
/// own length of it is ever read.
#[derive(Debug)]
pub(crate) struct PackedPast(KeyValues);

impl PackedPast {
    fn new(like: &KeyValues, rows: usize, room: usize) -> Result<Self> {
        let width = like.keys.dim(2)?;
        let zeros = || Tensor::zeros((rows, room, width), like.keys.dtype(), like.keys.device());
        Ok(Self(KeyValues { keys: zeros()?, values: zeros()? }))
    }

    /// Writes the keys and values of a step's tokens, `[b, l, width]`, to their places, and gives the whole buffers.
    pub(crate) fn write(&mut self, new: &KeyValues, places: &Places) -> Result<&KeyValues> {
        self.reserve(places.end())?;
        let KeyValues { keys, values } = &self.0;
        for (buffer, new) in [(keys, &new.keys), (values, &new.values)] {
            let (_, room, _) = buffer.dims3()?;
            let new = new.to_dtype(buffer.dtype())?;
            let (buffer, new) = (buffer.flatten(0, 1)?, new.contiguous()?.flatten(0, 1)?);
            for (first, count, place) in places.runs() {
                buffer.slice_set(&new.narrow(0, first, count)?, 0, place.row * room + place.position)?;
            }
        }
        Ok(&self.0)
    }

    /// Makes room for `len` tokens a row: a quarter more than there was at least, so that copies are few.
    fn reserve(&mut self, len: usize) -> Result<()> {
        let (rows, room, width) = self.0.keys.dims3()?;
        if len <= room {
            return Ok(());
        }
        for buffer in [&mut self.0.keys, &mut self.0.values] {
            let longer = Tensor::zeros((rows, len.max(room + room / 4), width), buffer.dtype(), buffer.device())?;
            longer.slice_set(buffer, 1, 0)?;
            *buffer = longer;
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn dtype(&self) -> candle_core::DType {
        self.0.keys.dtype()
    }

    fn select(&mut self, origins: &Tensor) -> Result<()> {
        for buffer in [&mut self.0.keys, &mut self.0.values] {
            *buffer = buffer.index_select(origins, 0)?;
        }
        Ok(())
    }
}
