//! Keys and values of an attention.

use candle_core::{D, DType, Tensor};
use peft_kernels::transfer;

use super::run::Run;
use crate::{Error, Result, SiteId, SiteInput};

/// Keys and values, `[batch, length, dim]` each, with `dim` the features of all their heads together.
#[derive(Debug, Clone)]
pub struct KeyValues {
    /// The keys.
    pub keys: Tensor,
    /// The values.
    pub values: Tensor,
}

impl KeyValues {
    /// What the methods at `site` make of them for the queries of `x`, with what they put in front.
    ///
    /// # Errors
    /// As the methods' own; [`Error::Mismatch`] if they put more or less in front than they declare.
    pub fn at(&self, site: SiteId, x: &Tensor, run: &mut Run<'_>) -> Result<Self> {
        let features = self.keys.dim(D::Minus1)?;
        let both = Tensor::cat(&[&self.keys, &self.values], D::Minus1)?;
        let longer = run.active.apply(site, SiteInput::new(x, both), run.ctx)?;
        let half = |first| longer.narrow(D::Minus1, first, features)?.contiguous();
        let longer = Self { keys: half(0)?, values: half(features)? };
        let declared: usize = run.active.prefixes(site).map(|prefix| prefix.length).sum();
        if longer.len()? != self.len()? + declared {
            let (before, after) = (self.len()?, longer.len()?);
            return Err(Error::Mismatch(format!(
                "methods on keys and values made {after} positions of {before}, and their prefixes have {declared}"
            )));
        }
        Ok(longer)
    }

    /// These, then `more` after them.
    ///
    /// # Errors
    /// If their shapes differ in more than the length.
    pub fn then(&self, more: &Self) -> Result<Self> {
        let cat = |a: &Tensor, b: &Tensor| Tensor::cat(&[a, b], 1);
        Ok(Self { keys: cat(&self.keys, &more.keys)?, values: cat(&self.values, &more.values)? })
    }

    /// How many positions there are.
    ///
    /// # Errors
    /// If the keys have no length.
    #[allow(clippy::len_without_is_empty, reason = "an attention without a single key does not exist")]
    pub fn len(&self) -> Result<usize> {
        Ok(self.keys.dim(1)?)
    }

    /// The same as numbers of the type `dtype`.
    ///
    /// # Errors
    /// As candle's.
    pub fn to_dtype(&self, dtype: DType) -> Result<Self> {
        Ok(Self { keys: self.keys.to_dtype(dtype)?, values: self.values.to_dtype(dtype)? })
    }

    /// The rows `index` (`u32 [k]`), in that order.
    ///
    /// # Errors
    /// If there is no such row.
    pub fn select_rows(&self, index: &Tensor) -> Result<Self> {
        Ok(Self { keys: self.keys.index_select(index, 0)?, values: self.values.index_select(index, 0)? })
    }

    /// Each row `times` times, one copy after the other.
    ///
    /// # Errors
    /// As candle's.
    pub fn repeat_rows(&self, times: usize) -> Result<Self> {
        let rows: Vec<u32> = (0..self.keys.dim(0)? as u32).flat_map(|row| std::iter::repeat_n(row, times)).collect();
        let count = rows.len();
        let index = transfer::upload(rows, count, self.keys.device())?;
        Self { keys: self.keys.contiguous()?, values: self.values.contiguous()? }.select_rows(&index)
    }
}
