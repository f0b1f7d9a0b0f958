//! Packs matrices into tiles of `bf16` numbers.
//!
//! A *line* is a row of the left operand or a column of the right one; `k` is the index of the sum. A tile holds 16 lines of 32
//! `k`, in the order that the processor requires: line by line for the left operand, and one pair of `k` after the other for the
//! right one. A panel holds 32 lines, that is two tiles for each step of 32 `k`, once for each plane that a number is split
//! into: `[step][plane][2]`. Numbers outside the matrix are zero.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm256_maskz_loadu_epi16, _mm512_castsi512_ps, _mm512_castsi512_si256,
    _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh, _mm512_extracti64x4_epi64, _mm512_maskz_loadu_epi16,
    _mm512_maskz_loadu_ps, _mm512_or_si512, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_slli_epi32,
    _mm512_storeu_si512, _mm512_sub_ps,
};

use half::bf16;

use crate::gemm::block::{TILE, lanes, transpose};
use crate::gemm::view::Matrix;

/// Inner numbers of a tile.
pub(super) const DEPTH: usize = 2 * TILE;

/// One tile: 16 rows of 64 bytes.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(super) struct Tile([u16; TILE * DEPTH]);

/// The lines of an operand.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a, T> {
    data: &'a [T],
    count: usize,
    depth: usize,
    stride: usize,
    k_stride: usize,
    /// Whether a tile holds line after line, as for the left operand.
    by_line: bool,
}

impl<'a, T> Lines<'a, T> {
    /// The rows of the left operand.
    pub(super) fn left(a: Matrix<'a, T>) -> Self {
        let Matrix { data, rows, cols, row_stride, col_stride } = a;
        Self { data, count: rows, depth: cols, stride: row_stride, k_stride: col_stride, by_line: true }
    }

    /// The columns of the right operand.
    pub(super) fn right(b: Matrix<'a, T>) -> Self {
        Self { by_line: false, ..Self::left(b.t()) }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

/// A number of an operand, which is packed into `P` planes.
pub(super) trait Element<const P: usize>: Copy + Sync {
    /// Up to 32 contiguous numbers, as pairs.
    ///
    /// # Safety
    /// `count` numbers must be at `at`; the processor must have AVX-512 with BW, VL and BF16.
    unsafe fn line(at: *const Self, count: usize) -> [__m512i; P];

    /// Pairs of up to 16 numbers at `at` and as many at `at + stride`. Without `second`, the latter are zeros.
    ///
    /// # Safety
    /// As [`line`](Self::line).
    unsafe fn pairs(at: *const Self, stride: usize, second: bool, count: usize) -> [__m512i; P];
}

/// Two vectors as one of `bf16` pairs. Each plane rounds the difference to the sum of the planes before.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn split<const P: usize>(mut low: __m512, mut high: __m512) -> [__m512i; P] {
    let mut planes = [_mm512_setzero_si512(); P];
    for (i, plane) in planes.iter_mut().enumerate() {
        // SAFETY: both are 512 bits of plain numbers.
        *plane = unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) };
        if i + 1 < P {
            let [even, odd] = widen(*plane);
            // The difference is exact, because the rounded number has the same sign and leading bits.
            low = _mm512_sub_ps(low, _mm512_castsi512_ps(_mm512_slli_epi32::<16>(even)));
            high = _mm512_sub_ps(high, _mm512_castsi512_ps(odd));
        }
    }
    planes
}

/// The lower 16 numbers in the lower halves of 32 bits each, and the upper 16 in the upper halves.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn widen(numbers: __m512i) -> [__m512i; 2] {
    let low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(numbers));
    let high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64::<1>(numbers));
    [low, _mm512_slli_epi32::<16>(high)]
}

impl<const P: usize> Element<P> for f32 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn line(at: *const Self, count: usize) -> [__m512i; P] {
        // SAFETY: masked lanes are not read.
        let load =
            |skip: usize| unsafe { _mm512_maskz_loadu_ps(lanes(count.saturating_sub(skip)), at.wrapping_add(skip)) };
        split(load(0), load(TILE))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn pairs(at: *const Self, stride: usize, second: bool, count: usize) -> [__m512i; P] {
        // SAFETY: masked lanes are not read, nor a second row that is not there.
        let (first, second) = unsafe {
            let first = _mm512_maskz_loadu_ps(lanes(count), at);
            (first, if second { _mm512_maskz_loadu_ps(lanes(count), at.add(stride)) } else { _mm512_setzero_ps() })
        };
        split::<P>(first, second).map(|plane| {
            let [even, odd] = widen(plane);
            _mm512_or_si512(even, odd)
        })
    }
}

impl Element<1> for bf16 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn line(at: *const Self, count: usize) -> [__m512i; 1] {
        let mask = ((1u64 << count.min(DEPTH)) - 1) as u32;
        // SAFETY: masked lanes are not read; `bf16` is 16 bits.
        [unsafe { _mm512_maskz_loadu_epi16(mask, at.cast()) }]
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn pairs(at: *const Self, stride: usize, second: bool, count: usize) -> [__m512i; 1] {
        // SAFETY: as above; lanes of a second row that is not there are all masked.
        let row =
            |at: *const Self, mask: u16| unsafe { _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, at.cast())) };
        let odd = row(at.wrapping_add(stride), if second { lanes(count) } else { 0 });
        [_mm512_or_si512(row(at, lanes(count)), _mm512_slli_epi32::<16>(odd))]
    }
}

/// Packs 32 lines from `first` and `steps` steps from `k` into a panel, `2 P steps` tiles at `out`.
///
/// # Safety
/// `lines` must be inside their slice and `out` hold the tiles; the processor must have AVX-512 with BW, VL and BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) unsafe fn panel<T: Element<P>, const P: usize>(
    lines: Lines<'_, T>,
    first: usize,
    k: usize,
    steps: usize,
    out: *mut Tile,
) {
    for step in 0..steps {
        for half in 0..2 {
            // SAFETY: by this function's contract.
            unsafe {
                let tile = out.add((step * P) * 2 + half);
                pack::<T, P>(lines, first + half * TILE, k + step * DEPTH, tile);
            }
        }
    }
}

/// Packs one tile. Its planes are two tiles apart.
///
/// # Safety
/// As [`panel`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn pack<T: Element<P>, const P: usize>(lines: Lines<'_, T>, first: usize, k: usize, out: *mut Tile) {
    let Lines { data, count, depth, stride, k_stride, by_line } = lines;
    let count = count.saturating_sub(first).min(TILE);
    let depth = depth.saturating_sub(k).min(DEPTH);
    let mut planes = [[_mm512_setzero_si512(); TILE]; P];
    let mut put = |place: usize, vectors: [__m512i; P]| {
        for (plane, vector) in planes.iter_mut().zip(vectors) {
            if let Some(slot) = plane.get_mut(place) {
                *slot = vector;
            }
        }
    };
    // Whether the vectors that were read are the rows of the tile already.
    let in_order = if k_stride == 1 {
        for line in 0..count {
            // SAFETY: the line has `depth` numbers from `k`.
            put(line, unsafe { T::line(data.as_ptr().add((first + line) * stride + k), depth) });
        }
        by_line
    } else {
        for pair in 0..depth.div_ceil(2) {
            // SAFETY: `count` numbers are at `k + 2 pair`, and at the next `k` if it is below `depth`.
            put(pair, unsafe {
                let at = data.as_ptr().add((k + 2 * pair) * k_stride + first);
                T::pairs(at, k_stride, 2 * pair + 1 < depth, count)
            });
        }
        !by_line
    };
    for (plane, vectors) in planes.iter_mut().enumerate() {
        if !in_order {
            transpose(vectors);
        }
        for (row, vector) in vectors.iter().enumerate() {
            // SAFETY: by this function's contract; a tile has 16 rows of 64 bytes.
            unsafe { _mm512_storeu_si512(out.add(2 * plane).cast::<__m512i>().add(row), *vector) };
        }
    }
}

/// An uninitialized buffer of `count` tiles.
pub(super) fn buffer(count: usize) -> Vec<std::mem::MaybeUninit<Tile>> {
    let mut tiles = Vec::with_capacity(count);
    // SAFETY: what may be uninitialized is valid without a value.
    unsafe { tiles.set_len(count) };
    tiles
}

const _: () = assert!(size_of::<Tile>() == 1024);
