//! Plain loops, compiled for the widest vectors that the processor has.
#![allow(unsafe_code, reason = "code for other vectors than the build's is entered after asking the processor")]

/// Runs `f`, compiled once more for each set of vector instructions; what `f` calls must be inlined to gain by it.
///
/// For loops of a backbone's own that the compiler can vectorise. The instructions decide how many elements are computed at once, never in which order numbers are summed: the result's
/// bytes are the same on every processor.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
            // SAFETY: the processor has them.
            return unsafe { avx512(f) };
        }
        if has!("avx2") {
            // SAFETY: as above.
            return unsafe { avx2(f) };
        }
    }
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<R>(f: impl FnOnce() -> R) -> R {
    f()
}
