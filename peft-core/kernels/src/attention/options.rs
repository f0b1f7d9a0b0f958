//! What attention takes in addition to queries, keys and values.

use candle_core::{Result, Tensor, bail};

use super::shape::Shapes;
use crate::dropout::DropoutKey;

/// The options of [`attention`](fn@crate::attention), where the shapes are listed.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a> {
    /// The number of heads of the queries.
    pub heads: usize,
    /// The number of heads of the keys and values, which divides `heads` into groups that share a key head. It is `heads` without
    /// grouping.
    pub key_value_heads: usize,
    /// The factor of `q k^T`, before bias and mask: `1 / sqrt(d_head)` in most models. `None` is 1, as in T5.
    pub scale: Option<f32>,
    /// Added to the scores; it may train. In T5 it is the relative position bias.
    pub bias: Option<&'a Tensor>,
    /// Added to the scores: 0 where a query may see a key, and a large negative number where it may not.
    pub mask: Option<&'a Tensor>,
    /// Which probabilities are dropped. `None` drops nothing.
    pub dropout: Option<DropoutKey>,
}

impl Attention<'_> {
    /// The sizes of attention with these queries, keys and values. Fails if a shape does not fit or the mask is tracked.
    pub(super) fn shapes(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Shapes> {
        if self.mask.is_some_and(Tensor::track_op) {
            bail!("attention: the mask is tracked, but attention has no gradient for it; detach it");
        }
        let shapes = Shapes::new([q, k, v].map(Tensor::dims), (self.heads, self.key_value_heads))?;
        shapes.check_terms(self.bias.map(Tensor::dims), self.mask.map(Tensor::dims))?;
        Ok(shapes)
    }
}
