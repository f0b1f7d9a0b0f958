//! The embedding layer.

use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};

/// Row lookup. Indices of any shape `[..]` give `[.., d]`.
#[derive(Clone, Debug)]
pub struct Embedding {
    embeddings: Tensor,
    hidden_size: usize,
}

impl Embedding {
    /// A layer with the table `embeddings [rows, hidden_size]`.
    pub fn new(embeddings: Tensor, hidden_size: usize) -> Self {
        Self { embeddings, hidden_size }
    }

    /// The table.
    pub fn embeddings(&self) -> &Tensor {
        &self.embeddings
    }

    /// The width of the table.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }
}

impl Module for Embedding {
    fn forward(&self, indexes: &Tensor) -> Result<Tensor> {
        if self.embeddings.dims().get(1..) != Some(&[self.hidden_size]) {
            bail!("embedding: the table {:?} is not [rows, {}]", self.embeddings.dims(), self.hidden_size);
        }
        let shape: Vec<usize> = indexes.dims().iter().copied().chain([self.hidden_size]).collect();
        self.embeddings.index_select(&indexes.flatten_all()?, 0)?.reshape(shape)
    }
}

/// A layer with the table `weight`. A new one begins as candle-nn's.
///
/// # Errors
///
/// If `vb` does not have the table.
pub fn embedding(in_size: usize, out_size: usize, vb: VarBuilder<'_>) -> Result<Embedding> {
    let table = vb.get_with_hints((in_size, out_size), "weight", Init::Randn { mean: 0., stdev: 1. })?;
    Ok(Embedding::new(table, out_size))
}
