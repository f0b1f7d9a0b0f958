//! Blocks on tile registers.
//!
//! Registers 0 to 3 hold the block, 4 and 5 two tiles of `a`, 6 and 7 two of `b`. The code is assembly because Rust has no
//! stable intrinsics for tile registers.

use std::arch::asm;

use super::pack::Tile;
use crate::gemm::block::TILE;

/// The shape of the registers: 16 rows of 64 bytes each.
#[repr(C, align(64))]
struct Shape([u8; 64]);

/// The tile registers of a thread, which are released when the session is dropped.
pub(super) struct Session(());

impl Session {
    /// # Safety
    /// The processor must have AMX-BF16 and the process the permission to use it.
    pub(super) unsafe fn begin() -> Self {
        let mut shape = Shape([0; 64]);
        let [palette, .., _] = &mut shape.0;
        *palette = 1;
        for register in 0..8 {
            let (width, rows) = (16 + 2 * register, 48 + register);
            if let Some(byte) = shape.0.get_mut(width) {
                *byte = 64;
            }
            if let Some(byte) = shape.0.get_mut(rows) {
                *byte = TILE as u8;
            }
        }
        // SAFETY: by this function's contract; `shape` is a valid configuration of 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shape, options(nostack, readonly)) };
        Self(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: a session exists only where the instruction does.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Four products: the two tiles of `a` by the two of `b`.
macro_rules! products {
    () => {
        "tdpbf16ps tmm0, tmm4, tmm6\ntdpbf16ps tmm1, tmm4, tmm7\ntdpbf16ps tmm2, tmm5, tmm6\ntdpbf16ps tmm3, tmm5, tmm7"
    };
}

/// Two tiles of `a`, at two offsets in bytes.
macro_rules! load_a {
    ($first:literal, $second:literal) => {
        concat!("tileloadd tmm4, [{a} + {s}*1 + ", $first, "]\ntileloadd tmm5, [{a} + {s}*1 + ", $second, "]")
    };
}

/// Two tiles of `b`, at two offsets in bytes.
macro_rules! load_b {
    ($first:literal, $second:literal) => {
        concat!("tileloadd tmm6, [{b} + {s}*1 + ", $first, "]\ntileloadd tmm7, [{b} + {s}*1 + ", $second, "]")
    };
}

/// The sum over `steps` tiles, with `$body` for one step, stored as four tiles of `f32`.
macro_rules! block {
    ($a:expr, $b:expr, $steps:expr, $out:expr, $bytes:literal, $($body:expr),+) => {
        asm!(
            "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
            "2:",
            $($body,)+
            concat!("add {a}, ", $bytes), concat!("add {b}, ", $bytes),
            "dec {n}",
            "jnz 2b",
            "tilestored [{c} + {s}*1], tmm0", "tilestored [{c} + {s}*1 + 1024], tmm1",
            "tilestored [{c} + {s}*1 + 2048], tmm2", "tilestored [{c} + {s}*1 + 3072], tmm3",
            a = inout(reg) $a => _, b = inout(reg) $b => _, n = inout(reg) $steps => _,
            c = in(reg) $out, s = in(reg) 64usize,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        )
    };
}

/// A block from two panels of one plane: `out` gets four tiles of 16 by 16, `[row tile][column tile]`.
///
/// # Safety
/// A [`Session`] must have begun on this thread; `a` and `b` must hold `2 steps` tiles, `out` 1024 numbers; `steps > 0`.
pub(super) unsafe fn one_plane(a: *const Tile, b: *const Tile, steps: usize, out: *mut f32) {
    // SAFETY: by this function's contract.
    unsafe { block!(a, b, steps, out, 2048, load_a!(0, 1024), load_b!(0, 1024), products!()) }
}

/// A block from two panels of three planes: `x = x0 + x1 + x2`, with each term about 2⁸ times smaller than the one before. It is
/// the sum of the six products that reach the last bit of an `f32`, smaller ones first.
///
/// # Safety
/// As [`one_plane`], with `6 steps` tiles.
pub(super) unsafe fn three_planes(a: *const Tile, b: *const Tile, steps: usize, out: *mut f32) {
    // SAFETY: by this function's contract.
    unsafe {
        block!(
            a,
            b,
            steps,
            out,
            6144,
            // Each line loads the tiles that the next product does not share with the one before.
            load_a!(0, 1024),
            load_b!(4096, 5120),
            products!(),
            load_b!(2048, 3072),
            products!(),
            load_a!(2048, 3072),
            products!(),
            load_b!(0, 1024),
            products!(),
            load_a!(4096, 5120),
            products!(),
            load_a!(0, 1024),
            products!()
        )
    }
}

/// The transpose of [`three_planes`]: `a` is the right operand and `b` the left one. An element is the same sum in the same order.
///
/// # Safety
/// As [`three_planes`].
pub(super) unsafe fn three_planes_transposed(a: *const Tile, b: *const Tile, steps: usize, out: *mut f32) {
    // SAFETY: by this function's contract.
    unsafe {
        block!(
            a,
            b,
            steps,
            out,
            6144,
            // As in `three_planes`, with the operands exchanged.
            load_b!(0, 1024),
            load_a!(4096, 5120),
            products!(),
            load_a!(2048, 3072),
            products!(),
            load_b!(2048, 3072),
            products!(),
            load_a!(0, 1024),
            products!(),
            load_b!(4096, 5120),
            products!(),
            load_b!(0, 1024),
            products!()
        )
    }
}

/// As [`one_plane`], with the tiles of `a` read in place: 32 rows of a row-major matrix, `stride` bytes apart.
///
/// # Safety
/// As [`one_plane`]; `a` must hold 32 rows of `32 steps` numbers.
pub(super) unsafe fn in_place(a: *const u16, stride: usize, b: *const Tile, steps: usize, out: *mut f32) {
    // SAFETY: by this function's contract.
    unsafe {
        asm!(
            "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{a} + {t}*1]",
            "tileloadd tmm5, [{lower} + {t}*1]",
            load_b!(0, 1024),
            products!(),
            "add {a}, 64", "add {lower}, 64", "add {b}, 2048",
            "dec {n}",
            "jnz 2b",
            "tilestored [{c} + {s}*1], tmm0", "tilestored [{c} + {s}*1 + 1024], tmm1",
            "tilestored [{c} + {s}*1 + 2048], tmm2", "tilestored [{c} + {s}*1 + 3072], tmm3",
            a = inout(reg) a => _, lower = inout(reg) a.byte_add(TILE * stride) => _, b = inout(reg) b => _,
            n = inout(reg) steps => _, c = in(reg) out, s = in(reg) 64usize, t = in(reg) stride,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
    }
}
