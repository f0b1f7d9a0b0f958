//! Products of `f32` rows by a weight of eight bits.
//!
//! The rows are rounded to bytes too, so a sum is a sum of integers: it is exact, and thus the same on every processor and for
//! any number of threads.
//!
//! | file | is |
//! |---|---|
//! | `weight.rs` | the weight: rows of bytes, each with its scale and its sum |
//! | `steps.rs` | the other operand, rounded row by row |
//! | `vnni.rs` | the product on AVX512-VNNI |
//! | `plain.rs` | the product as plain loops |

mod plain;
mod steps;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vnni;
mod weight;

use candle_core::{Result, bail};

use super::threads::Threads;
pub(crate) use steps::rounded;
pub(crate) use weight::Int8;
pub use weight::{INT8_TRAILER, quantize_row};

/// The most numbers per row. With more, a sum of products of bytes might not fit 32 bits.
const DEEPEST: usize = i32::MAX as usize / (255 * 128);

/// `x W^T` for `x [rows, d_in]`: a new row-major matrix.
///
/// With `x ≈ s_x (x' - z)` and `W ≈ s_w W'`, both per row, an element is `s_x s_w (Σ x' W' - z Σ W')`.
pub(crate) fn product_int8(x: &[f32], rows: usize, w: Int8<'_>, threads: Threads) -> Result<Vec<f32>> {
    let Int8 { depth, .. } = w;
    if x.len() != rows * depth {
        bail!("gemm: the input has {} elements, expected {rows} × {depth}", x.len());
    }
    if !w.fits() {
        bail!("gemm: a weight of {} rows of {depth} bytes does not fit {} bytes", w.rows, w.data.len());
    }
    if depth > DEEPEST {
        bail!("gemm: a row of {depth} numbers is too long for sums of 32 bits, at most {DEEPEST}");
    }
    if rows == 0 || w.rows == 0 || depth == 0 {
        return Ok(vec![0.0; rows * w.rows]);
    }
    #[cfg(target_arch = "x86_64")]
    if vnni::applies(w) {
        // SAFETY: the operands fit each other and their slices; `applies` asked the processor.
        return Ok(unsafe { vnni::product(x, rows, w, threads) });
    }
    Ok(plain::product(x, rows, w, threads))
}
