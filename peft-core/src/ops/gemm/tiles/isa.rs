//! What this processor can do with `bf16` numbers.

use std::sync::OnceLock;

use crate::ops::gemm::Matrix;

/// The instructions for products of `bf16` numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops::gemm) enum Isa {
    /// Tile registers: AMX-BF16, with AVX-512 to pack.
    Amx,
    /// Vectors: AVX512-BF16.
    Avx512,
    /// None.
    Other,
}

/// Below this many rows or columns packing costs more than a faster product gains.
const FEWEST: usize = 48;
/// The same for rows beside a right operand whose columns are contiguous, which is faster to pack.
const FEWEST_ROWS: usize = 16;
/// The same for the inner dimension.
const SHALLOWEST: usize = 32;
/// The same for the product of all three.
const SMALLEST: usize = 1 << 20;

impl Isa {
    /// The best that this processor and its operating system have, asked once.
    pub(in crate::ops::gemm) fn detect() -> Self {
        static FOUND: OnceLock<Isa> = OnceLock::new();
        *FOUND.get_or_init(find)
    }

    /// What multiplies `f32` matrices faster than `f32` arithmetic does.
    pub(in crate::ops::gemm) fn for_f32(self, a: &Matrix<'_>, b: &Matrix<'_>) -> Option<Self> {
        let (m, n, k) = (a.rows, b.cols, a.cols);
        let fewest = if b.row_stride == 1 { FEWEST_ROWS } else { FEWEST };
        let large = m >= fewest && n >= FEWEST && k >= SHALLOWEST && m * n * k >= SMALLEST;
        (self == Self::Amx && large).then_some(self)
    }

    /// What multiplies `f32` by `bf16` matrices.
    pub(in crate::ops::gemm) fn for_bf16(self) -> Option<Self> {
        (self != Self::Other).then_some(self)
    }
}

fn find() -> Isa {
    use std::arch::is_x86_feature_detected as has;
    let vectors = has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512bf16");
    match (vectors, vectors && tiles_permitted()) {
        (_, true) => Isa::Amx,
        (true, false) => Isa::Avx512,
        (false, false) => Isa::Other,
    }
}

/// Whether the processor has tile registers of `bf16` and the operating system lets this process use them.
#[cfg(target_os = "linux")]
fn tiles_permitted() -> bool {
    /// `ARCH_REQ_XCOMP_PERM` of Linux's `arch_prctl`.
    const REQUEST: libc::c_ulong = 0x1023;
    /// `XFEATURE_XTILEDATA`.
    const TILE_DATA: libc::c_ulong = 18;
    /// Bits of EDX in leaf 7: AMX-BF16 and AMX-TILE.
    const BITS: u32 = 1 << 22 | 1 << 24;
    if std::arch::x86_64::__cpuid(0).eax < 7 {
        return false;
    }
    let has_tiles = std::arch::x86_64::__cpuid_count(7, 0).edx & BITS == BITS;
    // SAFETY: the call takes two numbers and touches no memory of ours; kernels that do not know it refuse.
    has_tiles && unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) } == 0
}

#[cfg(not(target_os = "linux"))]
fn tiles_permitted() -> bool {
    false
}
