//! What this processor multiplies matrices with.

use std::sync::OnceLock;

use super::Matrix;

/// The instructions for products.
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
    pub(super) fn detect() -> Self {
        static FOUND: OnceLock<Isa> = OnceLock::new();
        *FOUND.get_or_init(find)
    }

    /// What multiplies `f32` matrices on tiles, faster than `f32` arithmetic does.
    pub(super) fn for_f32(self, a: &Matrix<'_>, b: &Matrix<'_>) -> Option<Self> {
        let (m, n, k) = (a.rows, b.cols, a.cols);
        let fewest = if b.row_stride == 1 { FEWEST_ROWS } else { FEWEST };
        let large = m >= fewest && n >= FEWEST && k >= SHALLOWEST && m * n * k >= SMALLEST;
        (self == Self::Amx && large).then_some(self)
    }

    /// What multiplies `f32` by `bf16` matrices as pairs of `bf16` numbers.
    pub(super) fn for_bf16(self) -> Option<Self> {
        matches!(self, Self::Amx | Self::PairsOfBf16).then_some(self)
    }

    /// Whether there are vectors of 16 `f32`.
    pub(super) fn has_vectors(self) -> bool {
        self != Self::Other
    }

    /// Whether there are such vectors, and an instruction that sums products of bytes: AVX512-VNNI.
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

/// Whether products of `bf16` pairs are faster than those of `f32`, asked of the maker: AMD's processors begin as many of
/// either in a cycle, with twice the numbers in a pair (by what is published of them). Intel's with tile registers, where these are withheld from a guest,
/// begin a product of pairs every other cycle and two of `f32` in each (measured on Emerald Rapids: 86 and 177 GFLOP/s).
fn pairs_are_fast() -> bool {
    /// `AuthenticAMD` in EBX, EDX and ECX of leaf 0.
    const AMD: [u32; 3] = [u32::from_le_bytes(*b"Auth"), u32::from_le_bytes(*b"enti"), u32::from_le_bytes(*b"cAMD")];
    let maker = std::arch::x86_64::__cpuid(0);
    [maker.ebx, maker.edx, maker.ecx] == AMD
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
