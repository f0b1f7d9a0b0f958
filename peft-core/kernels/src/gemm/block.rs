//! A block of 32 by 32 results, and the transpose of 16 by 16 numbers.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_add_ps, _mm512_castsi512_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_setzero_si512,
    _mm512_shuffle_i32x4, _mm512_storeu_ps, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use super::output::Output;

/// Numbers of 32 bits in a vector.
pub(super) const TILE: usize = 16;
/// Rows and columns of a block.
pub(super) const BLOCK: usize = 2 * TILE;

/// 16 vectors of 32-bit numbers, or of pairs of 16-bit numbers.
pub(super) type Vectors = [__m512i; TILE];

/// The numbers of one block: four parts of 16 by 16, `[row][column]`, each row by row.
#[repr(C, align(64))]
pub(super) struct Block(pub(super) [f32; BLOCK * BLOCK]);

impl Block {
    pub(super) const ZERO: Self = Self([0.0; BLOCK * BLOCK]);

    /// Writes 16 numbers, one half of row `row`. Past the last row it writes nothing.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn put(&mut self, row: usize, half: usize, numbers: __m512) {
        let place = (row / TILE * 2 + half) * TILE * TILE + row % TILE * TILE;
        if let Some(place) = self.0.get_mut(place..place + TILE) {
            // SAFETY: there is room for 16 numbers.
            unsafe { _mm512_storeu_ps(place.as_mut_ptr(), numbers) };
        }
    }

    /// Writes the transpose of the block to `out`, from row `row` and column `column` on, or adds it if `out` accumulates. Rows past
    /// `rows` are not written.
    ///
    /// # Safety
    /// The written rows and the 32 columns must be inside `out`.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn store_transposed(&self, out: Output, row: usize, rows: usize, column: usize) {
        for (tile, numbers) in self.0.chunks_exact(TILE * TILE).enumerate() {
            let (first_column, first_row) = (column + tile / 2 * TILE, row + tile % 2 * TILE);
            let mut vectors: Vectors = [_mm512_setzero_si512(); TILE];
            for (vector, numbers) in vectors.iter_mut().zip(numbers.chunks_exact(TILE)) {
                // SAFETY: a chunk has 16 numbers.
                *vector = unsafe { _mm512_loadu_si512(numbers.as_ptr().cast()) };
            }
            transpose(&mut vectors);
            for (i, vector) in vectors.iter().enumerate().take(rows.saturating_sub(first_row)) {
                // SAFETY: by this function's contract.
                unsafe {
                    let (to, mut numbers) = (out.at(first_row + i, first_column), _mm512_castsi512_ps(*vector));
                    if out.accumulate {
                        numbers = _mm512_add_ps(_mm512_loadu_ps(to), numbers);
                    }
                    _mm512_storeu_ps(to, numbers);
                }
            }
        }
    }
}

/// Transposes 16 by 16 numbers of 32 bits.
#[target_feature(enable = "avx512f,avx512bw")]
#[allow(clippy::indexing_slicing, reason = "constant bounds; the shuffle is unreadable otherwise")]
pub(super) fn transpose(rows: &mut Vectors) {
    let mut t = [_mm512_setzero_si512(); TILE];
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    for i in 0..4 {
        rows[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        rows[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        rows[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        rows[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for i in 0..4 {
        for half in [0, 8] {
            let (a, b) = (rows[half + i], rows[half + i + 4]);
            t[half + i] = _mm512_shuffle_i32x4::<0x88>(a, b);
            t[half + i + 4] = _mm512_shuffle_i32x4::<0xdd>(a, b);
        }
    }
    for i in 0..8 {
        rows[i] = _mm512_shuffle_i32x4::<0x88>(t[i], t[i + 8]);
        rows[i + 8] = _mm512_shuffle_i32x4::<0xdd>(t[i], t[i + 8]);
    }
}

/// The first `count` of 16 lanes.
pub(super) fn lanes(count: usize) -> u16 {
    ((1u32 << count.min(TILE)) - 1) as u16
}
