//! The instructions that this processor has for products.

use std::sync::OnceLock;

use super::dot;
use super::view::Matrix;

/// The best instructions for products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isa {
    /// Tile registers: AMX-BF16, with AVX-512 to pack.
    Amx,
    /// Vectors of `bf16` pairs that are faster than those of `f32`: AVX512-BF16.
    PairsOfBf16,
    /// Vectors of 16 `f32`: AVX-512.
    Avx512,
    /// None of these.
    Other,
}

/// With fewer rows or columns, packing costs more time than a faster product saves.
const FEWEST: usize = 48;
/// The same for the inner dimension.
const SHALLOWEST: usize = 32;
/// The same for the product of all three.
const SMALLEST: usize = 1 << 20;
/// The same for the numbers of a weight whose columns are contiguous, which is packed faster.
const SMALLEST_WEIGHT: usize = 1 << 15;

impl Isa {
    /// The best that this processor and its operating system support. They are asked once.
    pub(super) fn detect() -> Self {
        static FOUND: OnceLock<Isa> = OnceLock::new();
        *FOUND.get_or_init(find)
    }

    /// The instructions for this `f32` product on tiles, if that is faster than `f32` arithmetic.
    ///
    /// In a product `x W^T` the weight decides alone, so that the bits of a row do not depend on other rows.
    pub(super) fn for_f32(self, a: &Matrix<'_>, b: &Matrix<'_>) -> Option<Self> {
        let (m, n, k) = (a.rows, b.cols, a.cols);
        let large = match dot::applies(a, b) {
            true => n * k >= SMALLEST_WEIGHT,
            false => m >= FEWEST && m * n * k >= SMALLEST,
        };
        (self == Self::Amx && large && n >= FEWEST && k >= SHALLOWEST).then_some(self)
    }

    /// The instructions for products of `bf16` pairs, if there are any.
    pub(super) fn for_bf16(self) -> Option<Self> {
        matches!(self, Self::Amx | Self::PairsOfBf16).then_some(self)
    }

    /// Whether there are vectors of 16 `f32`.
    pub(super) fn has_vectors(self) -> bool {
        self != Self::Other
    }

    /// Whether there are vectors of 16 `f32` and an instruction that sums products of bytes (AVX512-VNNI).
    pub(super) fn has_byte_products(self) -> bool {
        self.has_vectors() && std::arch::is_x86_feature_detected!("avx512vnni")
    }
}

fn find() -> Isa {
    use std::arch::is_x86_feature_detected as has;
    if !(has!("avx512f") && has!("avx512bw") && has!("avx512vl")) {
        return Isa::Other;
    }
    match has!("avx512bf16") {
        true if tiles_permitted() => Isa::Amx,
        true if pairs_are_fast() => Isa::PairsOfBf16,
        _ => Isa::Avx512,
    }
}

/// Whether products of `bf16` pairs are faster than those of `f32`, which depends on the maker.
///
/// AMD's processors start as many of either per cycle, according to published tables, and a pair has twice the numbers. Intel's
/// processors with tile registers that a guest may not use start one product of pairs every other cycle and two of `f32` in
/// each cycle. (Measured on Emerald Rapids: 86 and 177 GFLOP/s.)
fn pairs_are_fast() -> bool {
    /// `AuthenticAMD` in EBX, EDX and ECX of leaf 0.
    const AMD: [u32; 3] = [u32::from_le_bytes(*b"Auth"), u32::from_le_bytes(*b"enti"), u32::from_le_bytes(*b"cAMD")];
    let maker = std::arch::x86_64::__cpuid(0);
    [maker.ebx, maker.edx, maker.ecx] == AMD
}

/// Whether the processor has tile registers for `bf16` and the operating system permits this process to use them.
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
