//! Tokens of several rows, with padding.

use candle_core::{Device, Tensor};
use peft_core::layers::Positions;
use peft_core::{Error, Result};
use peft_kernels::transfer;

/// Tokens of several rows, padded to one length.
///
/// ```
/// use candle_core::Device;
/// use peft_llama::LlamaInput;
///
/// let input = LlamaInput::new(&[&[17, 4, 9], &[8]], &Device::Cpu)?;
/// assert_eq!(input.ids.to_vec2::<u32>()?, [[17, 4, 9], [0, 0, 8]]);
/// assert_eq!(input.mask.to_vec2::<u32>()?, [[1, 1, 1], [0, 0, 1]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct LlamaInput {
    /// Token ids, `[batch, length]`, u32. What is at padding is not seen.
    pub ids: Tensor,
    /// 1 for a token, 0 for padding, `[batch, length]`, u32. Padding may be anywhere.
    pub mask: Tensor,
    /// Whether padding counts in positions.
    pub positions: Positions,
}

impl LlamaInput {
    /// Rows of token ids, padded on the left.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is no row, or a row without a token.
    pub fn new(rows: &[&[u32]], device: &Device) -> Result<Self> {
        let longest = rows.iter().map(|row| row.len()).max().unwrap_or_default();
        Self::padded_to(longest, rows, device)
    }

    /// The same, at least `length` long.
    pub(crate) fn padded_to(length: usize, rows: &[&[u32]], device: &Device) -> Result<Self> {
        if rows.is_empty() {
            return Err(Error::Mismatch("a batch needs at least one row".into()));
        }
        if let Some(empty) = rows.iter().position(|row| row.is_empty()) {
            return Err(Error::Mismatch(format!("row {empty} has no token; begin each text with at least one")));
        }
        let padding = |row: &[u32]| std::iter::repeat_n(0, length.saturating_sub(row.len()));
        let ids: Vec<u32> = rows.iter().flat_map(|row| padding(row).chain(row.iter().copied())).collect();
        let mask: Vec<u32> = rows.iter().flat_map(|row| padding(row).chain(row.iter().map(|_| 1))).collect();
        let tensor = |values| transfer::upload(values, (rows.len(), length), device);
        Self::from_tensors(tensor(ids)?, tensor(mask)?)
    }

    /// `ids` and `mask`, both `[batch, length]` of u32.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if their shapes differ.
    pub fn from_tensors(ids: Tensor, mask: Tensor) -> Result<Self> {
        if ids.rank() != 2 || ids.dims() != mask.dims() {
            let (ids, mask) = (ids.dims(), mask.dims());
            return Err(Error::Mismatch(format!("ids {ids:?} and mask {mask:?} must both be [batch, length]")));
        }
        Ok(Self { ids, mask, positions: Positions::default() })
    }

    /// The same with other [`positions`](Self::positions).
    #[must_use]
    pub fn with_positions(self, positions: Positions) -> Self {
        Self { positions, ..self }
    }

    /// Which columns hold a token, by row.
    pub(crate) fn tokens(&self) -> Result<Vec<Vec<bool>>> {
        let rows = transfer::download_rows::<u32>(&self.mask)?;
        Ok(rows.into_iter().map(|row| row.into_iter().map(|one| one != 0).collect()).collect())
    }

    /// The token ids of each row, without padding.
    pub(crate) fn rows(&self) -> Result<Vec<Vec<u32>>> {
        let (ids, tokens) = (transfer::download_rows::<u32>(&self.ids)?, self.tokens()?);
        let row = |(ids, tokens): (Vec<u32>, Vec<bool>)| {
            ids.into_iter().zip(tokens).filter(|(_, token)| *token).map(|(id, _)| id).collect()
        };
        Ok(ids.into_iter().zip(tokens).map(row).collect())
    }
}
