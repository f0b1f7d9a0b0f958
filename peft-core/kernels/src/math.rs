//! Arithmetic on numbers and rows that the compiler vectorizes. Every sum has a fixed order.

use std::f32::consts::LOG2_E;

/// Every sum runs in this many interleaved lanes, on any processor.
const LANES: usize = 16;

/// Below this, [`exp`] is subnormal and flushed to zero.
const EXP_MIN: f32 = -87.33;
/// Above this, [`exp`] is infinite. (`f32::exp` is infinite above 88.72.)
const EXP_MAX: f32 = 88.37;
/// `1.5 * 2^23`. Adding it rounds a number to an integer, which is then in the low bits of the sum.
const ROUND: f32 = 12_582_912.0;
/// `ln 2` as a sum of two. The first has few bits, so its multiples are exact.
const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
/// The exponent bits of 1.0.
const ONE_BITS: u32 = 0x3f80_0000;

/// `e^x` with a relative error of 2e-7 at most on `[-87.33, 88.37]`. It is zero below, infinite above, and NaN for NaN.
///
/// `e^x = 2^n e^r` with `|r| <= ln 2 / 2`, and Cephes' polynomial for `e^r`. Unlike `f32::exp` it has no branches.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let rounded = x * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2.0 - n * LN_2.1;
    let mut p = 1.987_569_1e-4;
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
        p = p * r + c;
    }
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(ONE_BITS));
    let y = (p * (r * r) + r + 1.0) * power;
    let y = if x < EXP_MIN { 0.0 } else { y };
    if x > EXP_MAX { f32::INFINITY } else { y }
}

/// `sum_i a_i b_i`, accumulated in `f64`: an error in a row's statistics would reach every element of the row. Zeros after the last
/// number change nothing.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f64::from(*a) * f64::from(*b);
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += f64::from(*a) * f64::from(*b);
    }
    lanes.iter().sum()
}

/// `sum_i a_i`, accumulated in `f64`. Zeros after the last number change nothing, so padding does not reach the softmax of a row.
#[inline(always)]
pub(crate) fn sum(a: &[f32]) -> f64 {
    let (chunks, rest) = a.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, a) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*a);
        }
    }
    for (lane, a) in lanes.iter_mut().zip(rest) {
        *lane += f64::from(*a);
    }
    lanes.iter().sum()
}

/// The largest element, or `-inf` for an empty slice. NaN may be ignored.
#[inline(always)]
pub(crate) fn max(a: &[f32]) -> f32 {
    let larger = |x: f32, y: f32| if x > y { x } else { y };
    let (chunks, rest) = a.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, a) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*a, *lane);
        }
    }
    let rest = rest.iter().copied().fold(f32::NEG_INFINITY, larger);
    lanes.into_iter().fold(rest, larger)
}

/// `y_i += x_i`.
#[inline(always)]
pub(crate) fn add_to(y: &mut [f32], x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += x;
    }
}

/// Replaces `row` by its softmax, `y_i = exp(x_i - max(x)) / sum_j exp(x_j - max(x))`: [`softmax`](crate::softmax) without a
/// tensor.
///
/// It has no gradient and no errors; NaN in the row makes the whole row NaN. Call it inside
/// [`vectorized!`](crate::vectorized), so that it is compiled for wide vectors.
///
/// ```
/// let mut row = [0.0, f32::NEG_INFINITY, 0.0];
/// peft_kernels::softmax_row(&mut row);
/// assert_eq!(row, [0.5, 0.0, 0.5]);
/// ```
#[inline(always)]
pub fn softmax_row(row: &mut [f32]) {
    let max = max(row);
    for x in row.iter_mut() {
        *x = exp(*x - max);
    }
    let scale = (1.0 / sum(row)) as f32;
    for x in row.iter_mut() {
        *x *= scale;
    }
}

/// The backward pass of a row's softmax `p`: replaces `g`, the gradient of `p`, by `p_i (g_i - sum_j p_j g_j)`.
#[inline(always)]
pub(crate) fn softmax_row_backward(p: &[f32], g: &mut [f32]) {
    let mean = dot(p, g) as f32;
    for (g, p) in g.iter_mut().zip(p) {
        *g = p * (*g - mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_change_no_sum_and_masked_scores_no_softmax() {
        for n in 1..70 {
            let a: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin() / 3.0).collect();
            let mut alone = a.clone();
            softmax_row(&mut alone);
            for padding in 1..40 {
                let padded = [&a[..], &vec![0.0; padding]].concat();
                assert_eq!((sum(&padded), dot(&padded, &padded)), (sum(&a), dot(&a, &a)), "{n} + {padding}");
                let mut masked = [&a[..], &vec![-1e9; padding]].concat();
                softmax_row(&mut masked);
                assert_eq!((&masked[..n], masked[n]), (&alone[..], 0.0), "{n} + {padding}");
            }
        }
    }

    #[test]
    fn exp_is_within_2e_7_of_the_exact_value() {
        let steps = 4_000_000;
        let mut worst = 0.0f64;
        for i in 0..=steps {
            let x = EXP_MIN + (EXP_MAX - EXP_MIN) * (i as f32 / steps as f32);
            let x = x.min(EXP_MAX);
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - exact).abs() / exact);
        }
        println!("exp: worst relative error {worst:.2e}");
        assert!(worst < 2e-7, "{worst:e}");
    }

    #[test]
    fn exp_of_special_values() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e9), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_cover_whole_chunks_and_the_rest() {
        for n in [0usize, 1, 15, 16, 17, 100] {
            let a: Vec<f32> = (1..=n).map(|i| i as f32).collect();
            let total = (n * (n + 1) / 2) as f64;
            let squares = (n * (n + 1) * (2 * n + 1) / 6) as f64;
            assert_eq!((sum(&a), dot(&a, &a)), (total, squares), "{n}");
            assert_eq!(max(&a), if n == 0 { f32::NEG_INFINITY } else { n as f32 });
        }
    }
}
