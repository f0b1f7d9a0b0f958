//! What a backbone passes to the methods at a site.

use candle_core::Tensor;

/// The tensors at one site of a forward pass. What they mean depends on the site: see [`SiteKind`](crate::SiteKind).
#[derive(Debug, Clone)]
pub struct SiteInput<'a> {
    /// What the backbone's own step reads: `x` of a linear map, the residual stream `h` of a sub-layer, ids at an embedding table.
    pub input: &'a Tensor,
    /// The backbone's weight `W` at a linear map, `w` at a norm, `E` at an embedding table; none elsewhere.
    pub base: Option<&'a Tensor>,
    /// What the backbone's own step computed: `x Wᵀ` of a linear map, `y` of a sub-layer.
    pub output: Tensor,
}

impl<'a> SiteInput<'a> {
    /// A site without a weight.
    pub fn new(input: &'a Tensor, output: Tensor) -> Self {
        Self { input, base: None, output }
    }

    /// The same at a site whose weight is `base`.
    #[must_use]
    pub fn base(self, base: &'a Tensor) -> Self {
        Self { base: Some(base), ..self }
    }
}

/// A residual sum of the backbone, `h + Dropout(y)`.
#[derive(Debug, Clone)]
pub struct Residual<'a> {
    /// The residual stream that the sub-layer read, `[batch, length, dim]`.
    pub h: &'a Tensor,
    /// The sub-layer's output, `[batch, length, dim]`.
    pub y: Tensor,
    /// The backbone's own dropout probability.
    pub dropout: f64,
}
