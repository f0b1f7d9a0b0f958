//! The tokens of a step as the cells of a grid: a line for each row of the cache, as long as the row with most tokens.

use candle_core::{Device, Tensor};
use peft_kernels::{TokenPosition, transfer};

use crate::error::{Error, Result};

/// The cells of a step, row by row.
#[derive(Debug)]
pub(crate) struct Cells {
    rows: usize,
    columns: usize,
    tokens: Vec<u32>,
    /// Where each token goes; `None` for a cell without one.
    positions: Vec<Option<TokenPosition>>,
    /// The cell of each token, in the order in which tokens were added.
    added: Vec<u32>,
    read: Vec<u32>,
}

/// The same on a device.
#[derive(Debug)]
pub(crate) struct CellsOnDevice {
    /// `[rows, columns]`
    pub(crate) tokens: Tensor,
    /// `room - 1` less each cell's position, `[rows · columns]`.
    pub(crate) before: Tensor,
    /// The place of each cell's key among those of all rows and heads, `[rows · columns · heads]`.
    pub(crate) places: Tensor,
    /// The cells that are read, in that order; `None`: all.
    pub(crate) read: Option<Tensor>,
}

impl Cells {
    /// Cells without tokens; the model reads `pad` there.
    pub(crate) fn new(rows: usize, columns: usize, pad: u32) -> Self {
        let (tokens, positions) = (vec![pad; rows * columns], vec![None; rows * columns]);
        Self { rows, columns, tokens, positions, added: Vec::new(), read: Vec::new() }
    }

    /// Puts a token of the row `position.row` into its cell `column`.
    pub(crate) fn add(&mut self, column: usize, token: u32, position: TokenPosition) {
        let cell = position.row * self.columns + column;
        if let (Some(id), Some(place)) = (self.tokens.get_mut(cell), self.positions.get_mut(cell)) {
            (*id, *place) = (token, Some(position));
            self.added.push(cell as u32);
        }
    }

    /// Reads the output of the tokens with these numbers, in the order in which they were added.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there are fewer tokens.
    pub(crate) fn read(&mut self, tokens: &[u32]) -> Result<()> {
        let missing = |token: &u32| Error::Mismatch(format!("token {token} is read of {} tokens", self.added.len()));
        let cell = |token: &u32| self.added.get(*token as usize).copied().ok_or_else(|| missing(token));
        self.read = tokens.iter().map(cell).collect::<Result<_>>()?;
        Ok(())
    }

    /// The end of the longest row.
    pub(crate) fn end(&self) -> usize {
        self.positions.iter().flatten().map(|token| token.position + 1).max().unwrap_or_default()
    }

    /// Brings the cells to `device` in one transfer. A row has `room` positions and one more, for cells without a token.
    pub(crate) fn upload(&self, room: usize, heads: usize, device: &Device) -> Result<CellsOnDevice> {
        let cells = self.tokens.len();
        let reads_all = (0..cells as u32).eq(self.read.iter().copied());
        let read: &[u32] = if reads_all { &[] } else { &self.read };
        let mut values = Vec::with_capacity(cells * (2 + heads) + read.len());
        values.extend_from_slice(&self.tokens);
        let position = |token: &Option<TokenPosition>| token.map_or(0, |token| token.position);
        values.extend(self.positions.iter().map(|token| room.saturating_sub(1 + position(token)) as u32));
        for (cell, token) in self.positions.iter().enumerate() {
            let row = cell / self.columns.max(1);
            let at = token.map_or(room, |token| token.position);
            values.extend((0..heads).map(|head| ((row * heads + head) * (room + 1) + at) as u32));
        }
        values.extend_from_slice(read);
        let count = values.len();
        let all = transfer::upload(values, count, device)?;
        let read = (!reads_all).then(|| all.narrow(0, cells * (2 + heads), read.len())).transpose()?;
        Ok(CellsOnDevice {
            tokens: all.narrow(0, 0, cells)?.reshape((self.rows, self.columns))?,
            before: all.narrow(0, cells, cells)?,
            places: all.narrow(0, 2 * cells, cells * heads)?,
            read,
        })
    }
}
