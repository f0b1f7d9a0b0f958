//! Numbers that are, or become, `f32`.

use std::arch::x86_64::{
    __m512, _mm256_maskz_loadu_epi16, _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_maskz_loadu_ps,
    _mm512_slli_epi32,
};

use half::bf16;

/// A number of a weight.
pub(super) trait ToF32: Copy + Sync {
    /// Whether the numbers are `f32` already.
    const IS_F32: bool;

    /// The numbers at `at` whose bit is set in `mask`, as `f32`. The others are zero and are not read.
    ///
    /// # Safety
    /// The numbers whose bit is set must be at `at`; the processor must have AVX-512 with BW and VL.
    unsafe fn load(at: *const Self, mask: u16) -> __m512;
}

impl ToF32 for f32 {
    const IS_F32: bool = true;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn load(at: *const Self, mask: u16) -> __m512 {
        // SAFETY: by this function's contract.
        unsafe { _mm512_maskz_loadu_ps(mask, at) }
    }
}

impl ToF32 for bf16 {
    const IS_F32: bool = false;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn load(at: *const Self, mask: u16) -> __m512 {
        // SAFETY: by this function's contract; `bf16` is the upper half of an `f32`.
        unsafe {
            let halves = _mm256_maskz_loadu_epi16(mask, at.cast());
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
        }
    }
}
