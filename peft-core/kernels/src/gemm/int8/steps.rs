//! Rows of `f32`, rounded to bytes. Each row has its own steps.

use crate::vectors::vectorized;

/// The largest byte.
const LARGEST: f32 = 255.0;

/// The steps of a row: a byte means the number `scale (byte - zero)`.
///
/// They cover the row's numbers and zero. Zero is a step, so the many zeros after ReLU stay exact.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Steps {
    pub(super) scale: f32,
    pub(super) zero: i32,
    /// `1 / scale`, or zero if all numbers of the row are zero or too small.
    pub(super) inverse: f32,
}

impl Steps {
    /// The steps for `row`. If a number is not finite, the scale is NaN, and so is every number of the rounded row.
    #[inline(always)]
    fn of(row: &[f32]) -> Self {
        let (mut low, mut high) = (0, 0);
        for x in row {
            let x = ordered(x.to_bits() as i32);
            (low, high) = (x.min(low), x.max(high));
        }
        let [low, high] = [low, high].map(|bits| f32::from_bits(ordered(bits) as u32));
        let range = high - low;
        if !range.is_finite() {
            return Self { scale: f32::NAN, ..Self::default() };
        }
        let inverse = LARGEST / range;
        if !inverse.is_finite() {
            return Self::default();
        }
        Self { scale: range / LARGEST, zero: nearest(-low * inverse), inverse }
    }

    /// An element of the product, from the sum of products of bytes and the weight's scale and sum of bytes.
    ///
    /// The integers wrap around, as those of the vector instructions do. No weight from [`quantize_row`](super::quantize_row)
    /// needs that, but a weight from a file may hold any sum.
    #[inline(always)]
    pub(super) fn element(self, sum: i32, weight_scale: f32, weight_sum: i32) -> f32 {
        sum.wrapping_sub(self.zero.wrapping_mul(weight_sum)) as f32 * (self.scale * weight_scale)
    }

    /// The byte for `x`.
    #[inline(always)]
    pub(super) fn byte(self, x: f32) -> u8 {
        nearest(x * self.inverse).wrapping_add(self.zero).clamp(0, 255) as u8
    }
}

/// Maps the bits of an `f32` to an integer with the same order, and back. Unlike `f32` comparisons, the compiler may reorder
/// those of integers, and thus run many at once.
#[inline(always)]
fn ordered(bits: i32) -> i32 {
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

/// The nearest integer, and the even one of two, if `x` is below 2²² in magnitude. For other numbers the result is meaningless.
#[inline(always)]
pub(super) fn nearest(x: f32) -> i32 {
    /// A number whose last bit is worth 1. A sum with it is rounded to an integer.
    const WHOLE: f32 = 1.5 * (1 << 23) as f32;
    ((x + WHOLE).to_bits() as i32).wrapping_sub(WHOLE.to_bits() as i32)
}

vectorized! {
    /// The steps of each row of `depth` numbers.
    pub(super) fn steps(x: &[f32], depth: usize) -> Vec<Steps> {
        let mut steps = Vec::with_capacity(x.len() / depth.max(1));
        // A `for` loop, because the loop inside `map` would not be compiled for wide vectors.
        for row in x.chunks_exact(depth.max(1)) {
            steps.push(Steps::of(row));
        }
        steps
    }

    /// The bytes of all rows, concatenated.
    pub(super) fn bytes(x: &[f32], depth: usize, steps: &[Steps]) -> Vec<u8> {
        let mut bytes = vec![0; x.len()];
        let rows = x.chunks_exact(depth.max(1)).zip(bytes.chunks_exact_mut(depth.max(1)));
        for ((x, bytes), steps) in rows.zip(steps) {
            for (byte, x) in bytes.iter_mut().zip(x) {
                *byte = steps.byte(*x);
            }
        }
        bytes
    }
}

/// `x` after rounding: the numbers that the bytes of all rows mean.
pub(crate) fn rounded(x: &[f32], depth: usize) -> Vec<f32> {
    let steps = steps(x, depth);
    let rows = x.chunks_exact(depth.max(1)).zip(&steps);
    let row = |(x, steps): (&[f32], &Steps)| {
        let steps = *steps;
        x.iter().map(move |x| (i32::from(steps.byte(*x)) - steps.zero) as f32 * steps.scale).collect::<Vec<_>>()
    };
    rows.flat_map(row).collect()
}
