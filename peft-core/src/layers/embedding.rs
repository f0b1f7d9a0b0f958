//! An embedding table.

use candle_core::Tensor;
use peft_kernels as ops;

use super::run::Run;
use super::weight::Weight;
use crate::Result;

/// The rows of a table `E: [rows, dim]`, and whatever acts at its site.
#[derive(Debug, Clone)]
pub struct Embedding(pub Weight);

impl Embedding {
    /// `ids [batch, length]` (u32) to `[batch, length, dim]`.
    ///
    /// # Errors
    /// If the shape does not fit or there is no such row; or as the methods at the site.
    pub fn forward(&self, ids: &Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        match self.0.site {
            Some(site) => run.active.embedding(site, ids, &self.0.value, run.ctx),
            None => Ok(ops::embedding(ids, &self.0.value, run.ctx.kernels())?),
        }
    }
}
