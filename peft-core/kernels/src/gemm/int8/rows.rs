//! Rows of `f32` rounded to bytes, each with steps of its own.

use crate::vectors::vectorized;

/// The largest byte.
const LARGEST: f32 = 255.0;

/// What the bytes of a row stand for: `scale (byte - zero)`.
///
/// The steps cover the row's numbers and zero, which is one of them: what is zero, such as most of what ReLU leaves, stays so.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Steps {
    pub(super) scale: f32,
    pub(super) zero: i32,
    /// Bytes a unit: `1 / scale`, or zero for a row that is one step.
    pub(super) inverse: f32,
}

impl Steps {
    /// The steps for `row`. A number that is not finite makes all that the row stands for NaN.
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

    /// The byte for `x`.
    #[inline(always)]
    pub(super) fn byte(self, x: f32) -> u8 {
        nearest(x * self.inverse).wrapping_add(self.zero).clamp(0, 255) as u8
    }
}

/// The bits of an `f32` as an integer that is ordered as the number is, and back. Integers, unlike numbers, may be compared in
/// any order, hence many at once.
#[inline(always)]
fn ordered(bits: i32) -> i32 {
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

/// The nearest integer, the even one of two, for a number below 2²² in magnitude; of others, some integer.
#[inline(always)]
pub(super) fn nearest(x: f32) -> i32 {
    /// So large that its last bit is a whole one: what is added to it is rounded.
    const WHOLE: f32 = 1.5 * (1 << 23) as f32;
    ((x + WHOLE).to_bits() as i32).wrapping_sub(WHOLE.to_bits() as i32)
}

vectorized! {
    /// The steps of each row of `depth` numbers.
    pub(super) fn steps(x: &[f32], depth: usize) -> Vec<Steps> {
        let mut steps = Vec::with_capacity(x.len() / depth.max(1));
        // Not `map`, whose loop would not be compiled for the processor's vectors.
        for row in x.chunks_exact(depth.max(1)) {
            steps.push(Steps::of(row));
        }
        steps
    }

    /// The bytes of all rows, one behind the other.
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

/// What the bytes of all rows stand for.
pub(crate) fn rounded(x: &[f32], depth: usize) -> Vec<f32> {
    let steps = steps(x, depth);
    let rows = x.chunks_exact(depth.max(1)).zip(&steps);
    let row = |(x, steps): (&[f32], &Steps)| {
        let steps = *steps;
        x.iter().map(move |x| (i32::from(steps.byte(*x)) - steps.zero) as f32 * steps.scale).collect::<Vec<_>>()
    };
    rows.flat_map(row).collect()
}
