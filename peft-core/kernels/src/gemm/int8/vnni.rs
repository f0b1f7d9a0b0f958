//! The product on AVX512-VNNI, whose instruction adds 64 products of bytes to 16 sums.
//!
//! The weight is read in place, four bytes of a row at a time. The other operand is packed into panels of up to 32 rows, in which
//! four bytes of each row follow each other. The blocks of the result are transposed when they are written.

use std::arch::x86_64::{
    __m128i, __m512, __m512i, _mm512_add_epi32, _mm512_castsi128_si512, _mm512_cvtepi32_ps, _mm512_cvtps_epi32,
    _mm512_cvtusepi32_epi8, _mm512_dpbusd_epi32, _mm512_inserti32x4, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_maskz_loadu_ps, _mm512_maskz_max_epi32, _mm512_mul_ps, _mm512_mullo_epi32, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_sub_epi32,
};

use rayon::prelude::*;

use super::steps::{Steps, steps};
use super::weight::{Int8, Row};
use crate::gemm::block::{BLOCK, Block, TILE, Vectors, transpose};
use crate::gemm::fma::prefetch;
use crate::gemm::isa::Isa;
use crate::gemm::output::Output;
use crate::gemm::threads::{Threads, for_each};

/// The products per sum that an instruction adds.
const QUAD: usize = 4;
/// The rows of the weight that are summed at once, a part of a block.
const GROUP: usize = BLOCK / 4;
/// Columns of the result per task, whole blocks. With 512 bytes per row, so much of the weight fits the first-level cache.
const TASK: usize = 2 * BLOCK;

/// Whether [`product`] may be called for `w`.
pub(super) fn applies(w: Int8<'_>) -> bool {
    w.rows.is_multiple_of(BLOCK) && Isa::detect().has_byte_products()
}

/// `x W^T`.
///
/// # Safety
/// `x` must have `rows` rows of `w.depth` numbers, `w` must be inside its slice, and [`applies`] must hold.
pub(super) unsafe fn product(x: &[f32], rows: usize, w: Int8<'_>, threads: Threads) -> Vec<f32> {
    let panels = Panels::new(x, rows, w.depth, threads);
    let len = rows * w.rows;
    let mut out: Vec<f32> = Vec::with_capacity(len);
    let to = Output::new(out.as_mut_ptr(), w.rows);
    let tasks: Vec<_> = (0..w.rows).step_by(TASK).map(|first| first..w.rows.min(first + TASK)).collect();
    for_each(tasks, threads, |task| {
        let mut block = Block::ZERO;
        for (number, panel) in panels.iter().enumerate() {
            for column in task.clone().step_by(BLOCK) {
                // SAFETY: by this function's contract; tasks write disjoint columns of `out`.
                unsafe {
                    match panel.vectors {
                        1 => panel.by_columns::<1>(w, column, number == 0, &mut block),
                        _ => panel.by_columns::<2>(w, column, number == 0, &mut block),
                    }
                    block.store_transposed(to, panel.first, panel.first + panel.rows, column);
                }
            }
        }
    });
    // SAFETY: the allocation holds `len` elements; the tasks cover all columns, the panels all rows.
    unsafe { out.set_len(len) };
    out
}

/// Rows as bytes, in panels of up to 32 rows: the first four bytes of each row, then the next four of each row, and so on.
struct Panels {
    quads: Vec<i32>,
    /// One per row, including the rows that fill up the last panel.
    scales: Vec<f32>,
    zeros: Vec<i32>,
    rows: usize,
    depth: usize,
}

impl Panels {
    fn new(x: &[f32], rows: usize, depth: usize, threads: Threads) -> Self {
        let steps = steps(x, depth);
        let mut padded = steps.clone();
        padded.resize(rows.next_multiple_of(BLOCK), Steps::default());
        let (scales, zeros) = padded.iter().map(|steps| (steps.scale, steps.zero)).unzip();
        let mut quads = vec![0; rows.next_multiple_of(TILE) * depth.div_ceil(QUAD)];
        let panel = BLOCK * depth.div_ceil(QUAD);
        let pack = |(number, panel): (usize, &mut [i32])| {
            let first = number * BLOCK;
            let rows = x.chunks_exact(depth.max(1)).zip(&steps).skip(first).take(BLOCK);
            let rows: Vec<_> = rows.map(|(x, steps)| (x, *steps)).collect();
            // SAFETY: panels exist where `applies` holds.
            unsafe { pack(&rows, depth, panel) };
        };
        match threads {
            Threads::All if rows > BLOCK => quads.par_chunks_mut(panel.max(1)).enumerate().for_each(pack),
            _ => quads.chunks_mut(panel.max(1)).enumerate().for_each(pack),
        }
        Self { quads, scales, zeros, rows, depth }
    }

    fn iter(&self) -> impl Iterator<Item = Panel<'_>> {
        let quads = self.quads.chunks(BLOCK * self.depth.div_ceil(QUAD).max(1));
        let steps = self.scales.chunks_exact(BLOCK).zip(self.zeros.chunks_exact(BLOCK));
        quads.zip(steps).enumerate().map(|(number, (quads, (scales, zeros)))| {
            let first = number * BLOCK;
            let rows = (self.rows - first).min(BLOCK);
            Panel { quads, scales, zeros, first, rows, vectors: rows.div_ceil(TILE) }
        })
    }
}

/// Packs the bytes of up to 32 rows into a panel.
///
/// # Safety
/// The processor must have AVX-512 with BW and VL.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn pack(rows: &[(&[f32], Steps)], depth: usize, panel: &mut [i32]) {
    let vectors = rows.len().div_ceil(TILE);
    for (half, rows) in rows.chunks(TILE).enumerate() {
        for k in (0..depth).step_by(TILE * QUAD) {
            let mut quads: Vectors = [_mm512_setzero_si512(); TILE];
            for (quads, (x, steps)) in quads.iter_mut().zip(rows) {
                *quads = bytes(x.get(k..).unwrap_or_default(), *steps);
            }
            transpose(&mut quads);
            let places = panel.chunks_exact_mut(TILE).skip(k / QUAD * vectors + half).step_by(vectors);
            for (place, quads) in places.zip(&quads) {
                // SAFETY: a place has 16 numbers.
                unsafe { _mm512_storeu_si512(place.as_mut_ptr().cast(), *quads) };
            }
        }
    }
}

/// The bytes of the first 64 numbers of `x`, and zeros after its last one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn bytes(x: &[f32], steps: Steps) -> __m512i {
    let (inverse, zero) = (_mm512_set1_ps(steps.inverse), _mm512_set1_epi32(steps.zero));
    let some = |part: usize| -> __m128i {
        let numbers = x.get(part * TILE..).unwrap_or_default();
        let mask = u16::MAX.checked_shr(TILE.saturating_sub(numbers.len()) as u32).unwrap_or(0);
        // SAFETY: masked lanes are not read.
        let numbers = unsafe { _mm512_maskz_loadu_ps(mask, numbers.as_ptr()) };
        let bytes = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(numbers, inverse)), zero);
        _mm512_cvtusepi32_epi8(_mm512_maskz_max_epi32(mask, bytes, _mm512_setzero_si512()))
    };
    let all = _mm512_castsi128_si512(some(0));
    let all = _mm512_inserti32x4::<1>(all, some(1));
    let all = _mm512_inserti32x4::<2>(all, some(2));
    _mm512_inserti32x4::<3>(all, some(3))
}

/// One of [`Panels`]: up to 32 rows.
struct Panel<'a> {
    quads: &'a [i32],
    scales: &'a [f32],
    zeros: &'a [i32],
    first: usize,
    rows: usize,
    vectors: usize,
}

impl Panel<'_> {
    /// Writes the transposed product of these rows and 32 rows of the weight from `column` to a block, or to half of it if the panel
    /// has one vector. With `ahead`, the weight's next rows are fetched in the meantime.
    ///
    /// # Safety
    /// As [`product`]; `V` must be the number of vectors.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn by_columns<const V: usize>(&self, w: Int8<'_>, column: usize, ahead: bool, block: &mut Block) {
        let mut rows = w.rows_from(column);
        for group in (0..BLOCK).step_by(GROUP) {
            let data = w.data.as_ptr().wrapping_add((column + group) * w.stride());
            // SAFETY: eight rows of the weight are at `data`, by this function's contract.
            let sums = unsafe {
                if ahead { self.sums::<V, true>(data, w.stride()) } else { self.sums::<V, false>(data, w.stride()) }
            };
            for ((row, sums), weight) in (group..).zip(sums).zip(&mut rows) {
                self.put(block, row, sums, weight);
            }
        }
    }

    /// The sums of products of bytes for eight rows of the weight.
    ///
    /// # Safety
    /// Eight rows, `stride` bytes apart, must be at `data`, each with three bytes after its own.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn sums<const V: usize, const AHEAD: bool>(&self, data: *const u8, stride: usize) -> [[__m512i; V]; GROUP] {
        let mut sums = [[_mm512_setzero_si512(); V]; GROUP];
        for (quad, columns) in self.quads.chunks_exact(V * TILE).enumerate() {
            if AHEAD && quad.is_multiple_of(TILE) {
                for row in GROUP..2 * GROUP {
                    prefetch(data, row * stride + quad * QUAD);
                }
            }
            // SAFETY: there are `V` vectors; the four bytes are in the row, or in its trailer, where they meet zeros.
            unsafe {
                let columns: [__m512i; V] =
                    std::array::from_fn(|v| _mm512_loadu_si512(columns.as_ptr().add(v * TILE).cast()));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let weight = data.add(row * stride + quad * QUAD).cast::<i32>().read_unaligned();
                    let weight = _mm512_set1_epi32(weight);
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = _mm512_dpbusd_epi32(*sum, column, weight);
                    }
                }
            }
        }
        sums
    }

    /// Writes the elements with these sums to row `row` of a block.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn put<const V: usize>(&self, block: &mut Block, row: usize, sums: [__m512i; V], weight: Row<'_>) {
        let steps = self.scales.chunks_exact(TILE).zip(self.zeros.chunks_exact(TILE));
        for (v, (sum, (scales, zeros))) in sums.into_iter().zip(steps).enumerate() {
            // SAFETY: both have 16 numbers.
            let (scales, zeros): (__m512, __m512i) =
                unsafe { (_mm512_loadu_ps(scales.as_ptr()), _mm512_loadu_si512(zeros.as_ptr().cast())) };
            let sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(zeros, _mm512_set1_epi32(weight.sum)));
            let scale = _mm512_mul_ps(scales, _mm512_set1_ps(weight.scale));
            block.put(row, v, _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale));
        }
    }
}
