//! Rotary position embeddings. `cos` and `sin` are `[positions, d / 2]`, or `[batch, length, d / 2]`.

use candle_core::{Result, Tensor};

use crate::kernels::Kernels;
use crate::rotary::{Rotary, RotaryLayout, RotaryPairs, rotary};

/// Rotates `xs [batch, heads, length, d]`: features `i` and `i + d / 2` are a pair.
///
/// # Errors
///
/// If the shapes do not fit.
pub fn rope(xs: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    rotary(xs, &Rotary { cos, sin, pairs: RotaryPairs::Halves, layout: RotaryLayout::HeadsLength }, Kernels::Fused)
}

/// Rotates `xs [batch, heads, length, d]`: features `2 i` and `2 i + 1` are a pair.
///
/// # Errors
///
/// As [`rope`].
pub fn rope_i(xs: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    rotary(xs, &Rotary { cos, sin, pairs: RotaryPairs::Neighbors, layout: RotaryLayout::HeadsLength }, Kernels::Fused)
}

/// Rotates `xs [batch, length, heads, d]`: features `i` and `i + d / 2` are a pair.
///
/// # Errors
///
/// As [`rope`].
pub fn rope_thd(xs: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    rotary(xs, &Rotary { cos, sin, pairs: RotaryPairs::Halves, layout: RotaryLayout::LengthHeads }, Kernels::Fused)
}

/// [`rope`], which has a gradient here.
///
/// # Errors
///
/// As [`rope`].
pub fn rope_slow(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    rope(x, cos, sin)
}

/// [`rope_i`], which has a gradient here.
///
/// # Errors
///
/// As [`rope`].
pub fn rope_i_slow(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    rope_i(x, cos, sin)
}
