//! One block's keys and values of the target tokens on the CPU.

use candle_core::{DType, Tensor};
use peft_core::layers::KeyValues;
use peft_kernels::TokenPositions;

use crate::error::Result;

/// One block's keys and values of the target tokens, `[rows, room, width]`, of the type of those of the source. Of each row
/// only its own length is ever read.
#[derive(Debug)]
pub(crate) struct PackedPast(pub(super) KeyValues);

/// By how many positions buffers grow at least.
const GROWTH: usize = 16;

impl PackedPast {
    pub(super) fn new(like: &KeyValues, rows: usize, room: usize) -> Result<Self> {
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
