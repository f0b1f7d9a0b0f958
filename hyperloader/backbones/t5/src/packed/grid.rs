//! Keys and values on a device: a grid of rows and positions. A step is one upload, one scatter and a few large products for each block,
//! and no index is made on the host for a block or a key.

use candle_core::{D, Tensor};
use peft_core::Ctx;
use peft_core::layers::KeyValues;
use peft_kernels::{self as ops, Kernels, transfer};

use super::cells::{Cells, CellsOnDevice};
use crate::bias::RelativeBias;
use crate::error::Result;
use crate::offsets::hidden_after;

/// Numbers from 0 that are on the device from the start: a longer row or source costs another upload.
const COLUMNS: usize = 1024;

/// The keys and values of all blocks, `[rows, heads, room + 1, d]`. The last position of a row takes what belongs to no token; it is never
/// seen.
#[derive(Debug)]
pub(crate) struct Grid {
    pub(crate) blocks: Vec<GridBlock>,
    heads: usize,
    rows: usize,
    /// The positions that a row has.
    room: usize,
    /// The mask of the source as a term, `[sentences, 1, 1, source]`.
    mask: Tensor,
    biases: Biases,
    /// The numbers `0, 1, …`, u32.
    columns: Tensor,
}

/// The biases by offset, `[offsets, heads]`, from the offset `1 - room` on.
#[derive(Debug)]
struct Biases {
    /// Of self-attention, with the causal mask.
    own: Tensor,
    cross: Option<Tensor>,
}

/// One block's keys and values.
#[derive(Debug)]
pub(crate) struct GridBlock {
    own: KeyValues,
    /// Those of the source, `[sentences, heads, source, d]`.
    memory: KeyValues,
}

/// What a step adds to scores, the same for all blocks, and where its keys go.
#[derive(Debug)]
pub(crate) struct GridStep {
    /// `[rows, columns]`
    pub(crate) tokens: Tensor,
    /// The cells whose output is read, in that order; `None`: all.
    pub(crate) read: Option<Tensor>,
    /// For each cell and head its place among all, `[rows · columns · heads, d]`.
    places: Tensor,
    /// `[rows, heads, columns, room + 1]`
    own: Tensor,
    /// It broadcasts to `[sentences, heads, rows of a sentence · columns, source]`.
    cross: Tensor,
}

/// What the cells of a step attend to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GridMemory<'a> {
    key_values: &'a KeyValues,
    terms: &'a Tensor,
}

impl Grid {
    /// An empty grid of `rows` rows, equally many for each sentence of `mask`. `memories` are the source's keys and values in each block.
    pub(crate) fn new(
        memories: Vec<KeyValues>,
        mask: Tensor,
        (heads, rows, room): (usize, usize, usize),
        biases: (&RelativeBias, Option<&RelativeBias>),
        ctx: &Ctx,
    ) -> Result<Self> {
        let (room, source) = (room.max(1), mask.dim(D::Minus1)?);
        let block = |memory: KeyValues| -> Result<GridBlock> {
            let memory = KeyValues { keys: by_head(&memory.keys, heads)?, values: by_head(&memory.values, heads)? };
            let zeros = || {
                let d = memory.keys.dim(D::Minus1)?;
                Tensor::zeros((rows, heads, room + 1, d), memory.keys.dtype(), memory.keys.device())
            };
            Ok(GridBlock { own: KeyValues { keys: zeros()?, values: zeros()? }, memory })
        };
        let blocks = memories.into_iter().map(block).collect::<Result<_>>()?;
        let columns = columns(COLUMNS.max(room + 1).max(source), &mask)?;
        Ok(Self { blocks, heads, rows, room, biases: Biases::new(biases, room, source, ctx)?, mask, columns })
    }

    /// Makes room for `end` tokens a row: twice as much as there was at least, so that copies are few.
    pub(crate) fn reserve(
        &mut self,
        end: usize,
        biases: (&RelativeBias, Option<&RelativeBias>),
        ctx: &Ctx,
    ) -> Result<()> {
        if end <= self.room {
            return Ok(());
        }
        self.room = end.max(2 * self.room);
        for block in &mut self.blocks {
            for buffer in [&mut block.own.keys, &mut block.own.values] {
                let (rows, heads, _, d) = buffer.dims4()?;
                let longer = Tensor::zeros((rows, heads, self.room + 1, d), buffer.dtype(), buffer.device())?;
                longer.slice_set(buffer, 2, 0)?;
                *buffer = longer;
            }
        }
        self.biases = Biases::new(biases, self.room, self.mask.dim(D::Minus1)?, ctx)?;
        if self.columns.elem_count() < self.room + 1 {
            self.columns = columns(2 * (self.room + 1), &self.mask)?;
        }
        Ok(())
    }

    /// Brings a step to the device, in one transfer.
    pub(crate) fn step(&self, cells: &Cells) -> Result<GridStep> {
        let (sentences, _, _, source) = self.mask.dims4()?;
        let CellsOnDevice { tokens, before, places, read } = cells.upload(self.room, self.heads, self.mask.device())?;
        let (rows, columns) = tokens.dims2()?;
        // The numbers of the offsets of all keys in the tables of biases: those from `before` on.
        let offsets = |keys: usize| {
            let keys = self.columns.narrow(0, 0, keys)?.unsqueeze(0)?;
            before.reshape((rows * columns, 1))?.broadcast_add(&keys)?.flatten_all()
        };
        let bias = |table: &Tensor, batch: usize, keys: usize| -> Result<Tensor> {
            let found = table.index_select(&offsets(keys)?, 0)?;
            let queries = rows * columns / batch.max(1);
            Ok(found.reshape((batch, queries, keys, self.heads))?.permute((0, 3, 1, 2))?.contiguous()?)
        };
        let cross = match &self.biases.cross {
            Some(table) => bias(table, sentences, source)?.broadcast_add(&self.mask)?,
            None => self.mask.clone(),
        };
        let places = match self.blocks.first() {
            Some(block) => places.unsqueeze(1)?.broadcast_as((places.elem_count(), block.own.keys.dim(D::Minus1)?))?,
            None => places.unsqueeze(1)?,
        };
        let own = bias(&self.biases.own, rows, self.room + 1)?;
        Ok(GridStep { tokens, read, places: places.contiguous()?, own, cross })
    }

    /// Row `i` goes on with what row `origins[i]` holds, and of the sentences those with the numbers `kept` stay, if some leave. One
    /// transfer.
    pub(crate) fn select(&mut self, kept: Option<&[u32]>, origins: &[u32]) -> Result<()> {
        let all = [origins, kept.unwrap_or_default()].concat();
        let count = all.len();
        let all = transfer::upload(all, count, self.mask.device())?;
        let own = all.narrow(0, 0, origins.len())?;
        for block in &mut self.blocks {
            block.own = block.own.select_rows(&own)?;
        }
        self.rows = origins.len();
        let Some(kept) = kept else { return Ok(()) };
        let kept = all.narrow(0, origins.len(), kept.len())?;
        for block in &mut self.blocks {
            block.memory = block.memory.select_rows(&kept)?;
        }
        self.mask = self.mask.index_select(&kept, 0)?;
        Ok(())
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }
}

impl Biases {
    fn new(
        (own, cross): (&RelativeBias, Option<&RelativeBias>),
        room: usize,
        source: usize,
        ctx: &Ctx,
    ) -> Result<Self> {
        let first = 1 - room as i64;
        let bias = own.of_offsets(first, 2 * room, ctx)?;
        let hidden = hidden_after(room, 2 * room, bias.device())?.to_dtype(bias.dtype())?;
        let cross = cross.map(|cross| cross.of_offsets(first, room + source, ctx)).transpose()?;
        Ok(Self { own: bias.broadcast_add(&hidden)?, cross })
    }
}

impl GridBlock {
    /// Writes the keys and values of the cells of a step, `[rows, columns, heads · d]`.
    pub(crate) fn write(&self, new: &KeyValues, step: &GridStep) -> Result<()> {
        for (buffer, new) in [(&self.own.keys, &new.keys), (&self.own.values, &new.values)] {
            let new = new.contiguous()?.reshape(step.places.shape())?.to_dtype(buffer.dtype())?;
            buffer.flatten(0, 2)?.scatter_set(&step.places, &new, 0)?;
        }
        Ok(())
    }

    /// A row's own keys.
    pub(crate) fn own<'a>(&'a self, step: &'a GridStep) -> GridMemory<'a> {
        GridMemory { key_values: &self.own, terms: &step.own }
    }

    /// The keys of a row's sentence.
    pub(crate) fn source<'a>(&'a self, step: &'a GridStep) -> GridMemory<'a> {
        GridMemory { key_values: &self.memory, terms: &step.cross }
    }
}

impl GridMemory<'_> {
    /// `softmax(q kᵀ + terms) v` per head: `q [rows, columns, heads · d]` to the same shape. Rows that share keys read them together.
    pub(crate) fn attend(self, q: &Tensor, kernels: Kernels) -> Result<Tensor> {
        let KeyValues { keys, values } = self.key_values;
        let ((rows, columns, width), (batch, heads, _, d)) = (q.dims3()?, keys.dims4()?);
        let queries = q.contiguous()?.reshape((batch, rows * columns / batch.max(1), width))?;
        let queries = by_head(&queries, heads)?;
        let scores = queries.matmul(&keys.t()?)?.broadcast_add(&self.terms.to_dtype(q.dtype())?)?;
        let found = ops::softmax(&scores, kernels)?.matmul(values)?;
        Ok(found.transpose(1, 2)?.reshape((rows, columns, heads * d))?)
    }
}

/// `[batch, length, heads · d]` as `[batch, heads, length, d]`.
fn by_head(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, length, width) = x.dims3()?;
    Ok(x.reshape((batch, length, heads, width / heads.max(1)))?.transpose(1, 2)?.contiguous()?)
}

/// The numbers below `count` where `like` is.
fn columns(count: usize, like: &Tensor) -> Result<Tensor> {
    Ok(transfer::upload((0..count as u32).collect(), count, like.device())?)
}
