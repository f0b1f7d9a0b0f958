//! A few rows by one panel.

use std::arch::x86_64::{
    __m512, _MM_HINT_T1, _mm_prefetch, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

use crate::gemm::block::TILE;

/// The most rows that are summed at once. With two vectors of columns, their sums take 24 of the 32 registers.
pub(super) const MOST_ROWS: usize = 12;

/// `R` rows of `k` numbers, `stride` numbers apart, by a panel of `V` vectors of columns: the sums, row by row.
///
/// # Safety
/// The rows must be at `a`, and `k` times `16 V` numbers at `panel`; the processor must have AVX-512.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn rows_by_panel<const R: usize, const V: usize>(
    a: *const f32,
    stride: usize,
    panel: *const f32,
    k: usize,
) -> [[__m512; V]; R] {
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    for k in 0..k {
        // SAFETY: by this function's contract.
        unsafe {
            let columns = panel.add(k * V * TILE);
            let columns: [__m512; V] = std::array::from_fn(|v| _mm512_loadu_ps(columns.add(v * TILE)));
            for (row, sums) in sums.iter_mut().enumerate() {
                let x = _mm512_set1_ps(*a.add(row * stride + k));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = _mm512_fmadd_ps(x, column, *sum);
                }
            }
        }
    }
    sums
}

/// Fetches the memory `offset` numbers after `at` into the second-level cache. The address may be invalid: nothing is read.
#[inline]
pub(in crate::gemm) fn prefetch<T>(at: *const T, offset: usize) {
    // SAFETY: a prefetch of any address is a hint and does not fault.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(at.wrapping_add(offset).cast()) }
}

/// Calls `$then!(R, V)` with the number of rows, up to 12, and of vectors as constants.
macro_rules! with_sizes {
    ($rows:expr, $vectors:expr, $then:ident) => {
        with_sizes!(@ $rows, $vectors, $then, 12 11 10 9 8 7 6 5 4 3 2 1)
    };
    (@ $rows:expr, $vectors:expr, $then:ident, $($R:literal)+) => {
        match ($rows.min(12), $vectors) {
            $(($R, 2) => $then!($R, 2), ($R, _) => $then!($R, 1),)+
            _ => {}
        }
    };
}
pub(super) use with_sizes;
