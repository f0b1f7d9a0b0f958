//! A weight of eight bits, as it lies in memory.

use super::rows::nearest;
use crate::vectors::vectorized;

/// Bytes behind those of a row of a weight of eight bits: its scale (`f32`) and its sum (`i32`), both little-endian.
pub const INT8_TRAILER: usize = 8;

/// The sign of an `f32` among its bits; the others are ordered as magnitudes are, with those of what is not finite last.
const SIGN: u32 = 1 << 31;
/// The largest magnitude of a byte. Without -128 the range is symmetric.
const LARGEST: f32 = 127.0;

/// A weight `[rows, depth]`: `rows` times `depth` signed bytes with their [`INT8_TRAILER`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Int8<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) rows: usize,
    pub(crate) depth: usize,
}

/// One row: what it stands for is `scale` times its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) scale: f32,
    /// The sum of the bytes.
    pub(super) sum: i32,
}

impl<'a> Int8<'a> {
    /// Bytes from one row to the next.
    pub(super) fn stride(self) -> usize {
        self.depth + INT8_TRAILER
    }

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
    /// Appends one row of [`quantize`](crate::quantize) to `out`: `round(w / s)` with `s = max |w| / 127`, and the
    /// [trailer](INT8_TRAILER).
    ///
    /// A number that is not finite makes all that the row stands for NaN.
    pub fn quantize_row(w: &[f32], out: &mut Vec<u8>) {
        let largest = w.iter().map(|w| w.to_bits() & !SIGN).max().unwrap_or_default();
        let (largest, finite) = (f32::from_bits(largest), largest < f32::INFINITY.to_bits());
        let scale = if finite { largest / LARGEST } else { f32::NAN };
        let inverse = if finite && scale.recip().is_finite() { LARGEST / largest } else { 0.0 };
        let from = out.len();
        out.resize(from + w.len(), 0);
        let mut sum = 0i32;
        for (byte, w) in out.get_mut(from..).unwrap_or_default().iter_mut().zip(w) {
            let rounded = nearest(w * inverse);
            sum = sum.wrapping_add(rounded);
            *byte = rounded as u8;
        }
        out.extend(scale.to_le_bytes());
        out.extend(sum.to_le_bytes());
    }
}
