//! The memory layout of a weight of eight bits.

use super::steps::nearest;
use crate::vectors::vectorized;

/// The number of bytes after the `d_in` signed bytes of each row of a [weight of eight bits](fn@crate::quantize): the row's scale
/// (`f32`) and the sum of its bytes (`i32`), both little-endian.
pub const INT8_TRAILER: usize = 8;

/// The sign bit of an `f32`. As integers, the other bits have the order of the magnitudes, with NaN and infinity last.
const SIGN: u32 = 1 << 31;
/// The largest magnitude of a byte. The range is symmetric, because -128 is not used.
const LARGEST: f32 = 127.0;

/// A weight `[rows, depth]`. Each row has `depth` signed bytes and a trailer of [`INT8_TRAILER`] bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Int8<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) rows: usize,
    pub(crate) depth: usize,
}

/// One row. Its numbers are `scale` times its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) scale: f32,
    /// The sum of the bytes.
    pub(super) sum: i32,
}

impl<'a> Int8<'a> {
    /// The bytes per row.
    pub(super) fn stride(self) -> usize {
        self.depth + INT8_TRAILER
    }

    /// Whether the rows fill the slice exactly.
    pub(super) fn fits(self) -> bool {
        self.rows.checked_mul(self.stride()) == Some(self.data.len())
    }

    /// The rows from `first` on.
    pub(crate) fn rows_from(self, first: usize) -> impl Iterator<Item = Row<'a>> {
        let (rest, depth) = (self.data.get(first * self.stride()..).unwrap_or_default(), self.depth);
        rest.chunks_exact(self.stride()).filter_map(move |row| {
            let (bytes, trailer) = row.split_at_checked(depth)?;
            let (scale, sum) = trailer.split_first_chunk::<4>()?;
            Some(Row { bytes, scale: f32::from_le_bytes(*scale), sum: i32::from_le_bytes(*sum.first_chunk()?) })
        })
    }
}

vectorized! {
    /// Appends one row of a [weight of eight bits](fn@crate::quantize) to `out`: the bytes `round(w / s)` with `s = max |w| / 127`,
    /// then `s` and the sum of the bytes, [`INT8_TRAILER`] bytes.
    ///
    /// It lets a caller quantize a matrix without having it in memory as a whole. If a number is not finite, `s` is NaN, and so is
    /// every number of the dequantized row. There are no errors.
    pub fn quantize_row(w: &[f32], out: &mut Vec<u8>) {
        let largest = w.iter().map(|w| w.to_bits() & !SIGN).max().unwrap_or_default();
        let (largest, finite) = (f32::from_bits(largest), largest < f32::INFINITY.to_bits());
        let scale = if finite { largest / LARGEST } else { f32::NAN };
        let inverse = if finite && scale.recip().is_finite() { LARGEST / largest } else { 0.0 };
        let from = out.len();
        out.resize(from + w.len(), 0);
        let mut sum = 0i32;
        for (byte, w) in out.get_mut(from..).unwrap_or_default().iter_mut().zip(w) {
            let rounded = nearest(w * inverse) as i8;
            sum = sum.wrapping_add(i32::from(rounded));
            *byte = rounded as u8;
        }
        out.extend(scale.to_le_bytes());
        out.extend(sum.to_le_bytes());
    }
}
