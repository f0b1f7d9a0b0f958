//! Products of `f32` rows by a weight of eight bits.
//!
//! The rows are rounded to bytes as well, so that a product is a sum of integers: exact, the same in any order, and thus the
//! same on every processor and for any number of threads.
//!
//! | file | is |
//! |---|---|
//! | `weight.rs` | the weight: a row of bytes with its scale and its sum |
//! | `rows.rs` | the other operand, rounded row by row |
//! | `vnni.rs` | the product on AVX512-VNNI |
//! | `plain.rs` | the product in plain loops |

mod plain;
mod rows;
#[cfg(target_arch = "x86_64")]
mod vnni;
mod weight;

use candle_core::{Result, bail};

use super::Threads;
use rows::Steps;
pub(crate) use rows::rounded;
pub(crate) use weight::Int8;
pub use weight::{INT8_TRAILER, quantize_row};

/// The most numbers in a row: beyond these a sum of products of bytes may not fit 32 bits.
const DEEPEST: usize = i32::MAX as usize / (255 * 128);

/// `x W^T` for `x [rows, d_in]`, a new row-major matrix.
///
/// With `x ≈ s_x (x' - z)` and `W ≈ s_w W'`, each per row, an element is `s_x s_w (Σ x' W' - z Σ W')`.
pub(crate) fn product_int8(x: &[f32], rows: usize, w: Int8<'_>, threads: Threads) -> Result<Vec<f32>> {
    let Int8 { depth, .. } = w;
    if x.len() != rows * depth || !w.fits() {
        bail!("gemm: {} numbers are no {rows} rows for a weight of {} rows of {depth} bytes", x.len(), w.rows);
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

/// What a sum of products of bytes stands for.
#[inline(always)]
fn element(sum: i32, x: Steps, weight_scale: f32, weight_sum: i32) -> f32 {
    (sum - x.zero * weight_sum) as f32 * (x.scale * weight_scale)
}

#[cfg(test)]
mod tests;
