//! The keys and values of rows that are decoded, each at its own pace.

use candle_core::{DType, Tensor};
use peft_kernels::{OffsetBias, TokenPosition, TokenPositions};

use super::encoded::Sentences;
use crate::error::{Error, Result};
use peft_core::layers::KeyValues;

/// Keys and values of all decoder blocks, with a length for each row.
///
/// A row that is not fed costs nothing. A row that was fed too much is cut back with [`truncate`](Self::truncate): what
/// follows its length is never read. The rows of one sentence (its hypotheses) follow each other and share the encoder's
/// output. The cache cannot be cloned, because its buffers are written in place.
#[derive(Debug)]
pub struct PackedKvCache {
    pub(crate) layers: Vec<(PackedPast, KeyValues)>,
    lens: Vec<usize>,
    /// Rows of one sentence.
    pub(crate) rows: usize,
    /// Where each sentence's keys are in the encoder's output.
    pub(crate) sentences: Sentences,
    /// The biases of self-attention and of cross-attention, by offset.
    pub(crate) biases: (OffsetBias, Option<OffsetBias>),
}

impl PackedKvCache {
    /// An empty cache of `rows` rows for each of the `sentences` whose keys and values are `memories`, one for each block.
    pub(crate) fn new(
        memories: Vec<KeyValues>,
        sentences: Sentences,
        (rows, capacity): (usize, usize),
        biases: (OffsetBias, Option<OffsetBias>),
    ) -> Result<Self> {
        let count = sentences.count() * rows;
        let past = |memory: KeyValues| -> Result<(PackedPast, KeyValues)> {
            Ok((PackedPast::new(&memory, count, capacity)?, memory))
        };
        let layers = memories.into_iter().map(past).collect::<Result<_>>()?;
        Ok(Self { layers, lens: vec![0; count], rows, sentences, biases })
    }

    /// How many target tokens each row holds.
    pub fn lens(&self) -> &[usize] {
        &self.lens
    }

    /// Forgets what row `row` holds after its first `len` tokens.
    pub fn truncate(&mut self, row: usize, len: usize) {
        if let Some(own) = self.lens.get_mut(row) {
            *own = len.min(*own);
        }
    }

    /// Replaces what was decoded: row `i` holds what row `origins[i]` held, a row of the same sentence. There may be more or
    /// fewer rows than before, equally many for each sentence.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a row does not exist, or the rows cannot be shared out among the sentences.
    pub fn select(&mut self, origins: &[u32]) -> Result<()> {
        let before = self.lens.len();
        if origins.len() == before && (0..).zip(origins).all(|(row, origin)| row == *origin) {
            return Ok(());
        }
        let sentences = self.sentences.count();
        if !origins.len().is_multiple_of(sentences.max(1)) {
            return Err(Error::Mismatch(format!(
                "{} rows are not equally many for {sentences} sentences",
                origins.len()
            )));
        }
        let len =
            |&origin: &u32| self.lens.get(origin as usize).copied().ok_or_else(|| missing(before, origin as usize));
        self.lens = origins.iter().map(len).collect::<Result<_>>()?;
        self.rows = origins.len() / sentences.max(1);
        for (past, memory) in &mut self.layers {
            past.0 = past.0.select_rows(&Tensor::new(origins, memory.keys.device())?)?;
        }
        Ok(())
    }

    /// Keeps the sentences numbered `sentences`, in that order, with the rows `origins`: what [`select`](Self::select) does,
    /// where the other sentences leave the batch.
    ///
    /// # Errors
    /// As [`select`](Self::select), and if a sentence does not exist.
    pub fn retain(&mut self, sentences: &[u32], origins: &[u32]) -> Result<()> {
        if sentences.len() < self.sentences.count() {
            self.sentences = self.sentences.select(sentences)?;
            if let Sentences::Padded { .. } = self.sentences {
                for (_, memory) in &mut self.layers {
                    *memory = memory.select_rows(&Tensor::new(sentences, memory.keys.device())?)?;
                }
            }
        }
        self.select(origins)
    }

    /// Makes `count` more tokens of row `row` count, and says where they go.
    pub(crate) fn advance(&mut self, row: usize, count: usize) -> Result<impl Iterator<Item = TokenPosition> + use<>> {
        let rows = self.lens.len();
        let len = self.lens.get_mut(row).ok_or_else(|| missing(rows, row))?;
        let first = *len;
        *len += count;
        Ok((first..*len).map(move |position| TokenPosition { row, position }))
    }
}

fn missing(rows: usize, row: usize) -> Error {
    Error::Mismatch(format!("the cache has {rows} rows, not row {row}"))
}

/// One block's keys and values of the target tokens, `[rows, room, width]`, of the type of those of the source. Of each row
/// only its own length is ever read.
#[derive(Debug)]
pub(crate) struct PackedPast(KeyValues);

/// By how many positions buffers grow at least.
const GROWTH: usize = 16;

impl PackedPast {
    fn new(like: &KeyValues, rows: usize, room: usize) -> Result<Self> {
        let width = like.keys.dim(2)?;
        let zeros = || Tensor::zeros((rows, room, width), like.keys.dtype(), like.keys.device());
        Ok(Self(KeyValues { keys: zeros()?, values: zeros()? }))
    }

    /// The type in which they are kept.
    pub(crate) fn dtype(&self) -> DType {
        self.0.keys.dtype()
    }

    /// Writes the keys and values of a step's tokens, `[b, l, width]`, to their positions, and gives the whole buffers.
    pub(crate) fn write(&mut self, new: &KeyValues, tokens: &TokenPositions) -> Result<&KeyValues> {
        self.reserve(tokens.end())?;
        let new = new.to_dtype(self.dtype())?;
        for (buffer, new) in [(&self.0.keys, &new.keys), (&self.0.values, &new.values)] {
            let (_, room, _) = buffer.dims3()?;
            let (buffer, new) = (buffer.flatten(0, 1)?, new.contiguous()?.flatten(0, 1)?);
            for (first, count, start) in tokens.runs() {
                buffer.slice_set(&new.narrow(0, first, count)?, 0, start.row * room + start.position)?;
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
            let room = len.max(room + (room / 4).max(GROWTH));
            let longer = Tensor::zeros((rows, room, width), buffer.dtype(), buffer.device())?;
            longer.slice_set(buffer, 1, 0)?;
            *buffer = longer;
        }
        Ok(())
    }
}
