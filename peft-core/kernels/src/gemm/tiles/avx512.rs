//! Blocks on vectors of AVX512-BF16, from the same tiles that `amx.rs` takes.

use std::arch::x86_64::{
    __m512, __m512bh, _mm512_castsi512_ps, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps,
    _mm512_storeu_ps,
};
use std::mem::transmute;

use super::pack::Tile;
use crate::gemm::block::TILE;

/// The rows that are summed at once. With two columns of tiles, their sums take 16 of the 32 registers.
const GROUP: usize = 8;

/// As [`one_plane`](super::amx::one_plane).
///
/// # Safety
/// The processor must have AVX512-BF16; `a` and `b` must hold `2 steps` tiles, `out` 1024 numbers.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) unsafe fn one_plane(a: *const Tile, b: *const Tile, steps: usize, out: *mut f32) {
    for first in (0..2 * TILE).step_by(GROUP) {
        let mut sums = [[_mm512_setzero_ps(); 2]; GROUP];
        for step in 0..steps {
            for pair in 0..TILE {
                // SAFETY: `step`, `first` and `pair` are within the tiles by this function's contract.
                unsafe {
                    let column = |tile: usize| -> __m512bh {
                        let row = b.add(2 * step + tile).cast::<i32>().add(pair * TILE);
                        transmute::<__m512, __m512bh>(_mm512_castsi512_ps(_mm512_loadu_si512(row.cast())))
                    };
                    let columns = [column(0), column(1)];
                    let rows = a.add(2 * step + first / TILE).cast::<i32>().add(first % TILE * TILE + pair);
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let both = _mm512_castsi512_ps(_mm512_set1_epi32(*rows.add(row * TILE)));
                        let both = transmute::<__m512, __m512bh>(both);
                        for (sum, column) in sums.iter_mut().zip(columns) {
                            *sum = _mm512_dpbf16_ps(*sum, both, column);
                        }
                    }
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            let row = first + row;
            for (column, sum) in sums.iter().enumerate() {
                let place = (row / TILE * 2 + column) * TILE * TILE + row % TILE * TILE;
                // SAFETY: `place` is below 1024 - 15.
                unsafe { _mm512_storeu_ps(out.add(place), *sum) };
            }
        }
    }
}
