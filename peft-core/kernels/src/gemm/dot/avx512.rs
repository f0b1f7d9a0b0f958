//! Dot products on vectors of 16 `f32` (AVX-512). A block of a few rows by a few columns is summed at once: 16 sums, which fill one
//! vector in the end.

use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_castpd_ps, _mm512_castps_pd, _mm512_fmadd_ps, _mm512_setzero_ps,
    _mm512_shuffle_f32x4, _mm512_shuffle_ps, _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpacklo_pd,
};
use std::ops::Range;

use super::tasks::{Task, tasks};
use super::{DEPTH, parts};
use crate::gemm::block::{TILE, lanes};
use crate::gemm::fma::prefetch;
use crate::gemm::output::Output;
use crate::gemm::threads::{Threads, for_each};
use crate::gemm::to_f32::ToF32;
use crate::gemm::view::Matrix;

/// The most rows of a block.
const ROWS: usize = 4;

/// `out = a b`, or `out += a b`.
///
/// # Safety
/// As `product` in `mod.rs`; the processor must have AVX-512 with BW and VL.
pub(in crate::gemm) unsafe fn product<T: ToF32>(out: Output, a: Matrix<'_>, b: Matrix<'_, T>, threads: Threads) {
    for_each(tasks(a.rows, b.cols), threads, |task| {
        let mut copies = Copies::default();
        for depth in parts(a.cols) {
            let out = out.accumulate(out.accumulate || depth.start > 0);
            // SAFETY: by this function's contract; tasks write disjoint blocks of `out`.
            unsafe {
                match T::IS_F32 || task.rows.len() <= ROWS {
                    true => Part::in_place(out, b, &depth, &task).run(a, depth, &task, &mut copies.rows),
                    false => Part::converted(out, b, &depth, &task, &mut copies.columns).run(
                        a,
                        depth,
                        &task,
                        &mut copies.rows,
                    ),
                }
            }
        }
    });
}

/// Memory that the parts of a task use one after the other.
#[derive(Default)]
struct Copies {
    rows: Vec<f32>,
    columns: Vec<f32>,
}

/// The columns of a task, from the first number of a part of the inner dimension on.
struct Part<T> {
    columns: *const T,
    stride: usize,
    out: Output,
}

impl<T: ToF32> Part<T> {
    /// Columns that are read where they are.
    fn in_place(out: Output, b: Matrix<'_, T>, depth: &Range<usize>, task: &Task) -> Self {
        let columns = b.data.as_ptr().wrapping_add(task.columns.start * b.col_stride + depth.start);
        Self { columns, stride: b.col_stride, out }
    }
}

impl Part<f32> {
    /// Columns that are converted first, because several blocks of rows read them.
    ///
    /// # Safety
    /// As [`product`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn converted<T: ToF32>(
        out: Output,
        b: Matrix<'_, T>,
        depth: &Range<usize>,
        task: &Task,
        numbers: &mut Vec<f32>,
    ) -> Self {
        let stride = depth.len().next_multiple_of(TILE).max(TILE);
        numbers.resize(task.columns.len() * stride, 0.0);
        for (column, numbers) in task.columns.clone().zip(numbers.chunks_exact_mut(stride)) {
            for (k, numbers) in depth.clone().step_by(TILE).zip(numbers.chunks_exact_mut(TILE)) {
                // SAFETY: the column has numbers up to `depth.end`, and there is room for 16.
                unsafe {
                    let from = b.data.as_ptr().add(column * b.col_stride + k);
                    _mm512_storeu_ps(numbers.as_mut_ptr(), T::load(from, lanes(depth.end - k)));
                }
            }
        }
        Self { columns: numbers.as_ptr(), stride, out }
    }
}

/// Up to four rows, from the first number of a part of the inner dimension on.
#[derive(Clone, Copy)]
struct Rows {
    data: *const f32,
    stride: usize,
    /// The number of the first.
    first: usize,
    count: usize,
    /// The products of the part.
    depth: usize,
    ahead: Ahead,
}

/// What is fetched into the cache while a block is summed.
#[derive(Clone, Copy)]
enum Ahead {
    /// The next columns, when a task reads them for the first time.
    Columns,
    /// The rows that follow, `stride` numbers apart.
    Rows { data: *const f32, stride: usize },
}

/// The same for one block: the next columns, a row, or nothing.
const COLUMNS: u8 = 0;
const ROW: u8 = 1;
const NOTHING: u8 = 2;

impl<T: ToF32> Part<T> {
    /// Computes a task's sums over the products `depth`.
    ///
    /// # Safety
    /// As [`product`]; the numbers of the task's columns must be there.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn run(&self, a: Matrix<'_>, depth: Range<usize>, task: &Task, copy: &mut Vec<f32>) {
        let place = |row: usize| a.data.as_ptr().wrapping_add(row * a.row_stride + depth.start);
        // Rows that begin a power of two apart would push each other out of the first-level cache.
        let copies = a.cols > DEPTH && task.rows.len() > ROWS;
        copy.resize(if copies { ROWS * DEPTH } else { 0 }, 0.0);
        for row in task.rows.clone().step_by(ROWS) {
            let ahead = match row == task.rows.start {
                true => Ahead::Columns,
                false => Ahead::Rows { data: place(row + ROWS), stride: a.row_stride },
            };
            let count = (task.rows.end - row).min(ROWS);
            let mut rows =
                Rows { data: place(row), stride: a.row_stride, first: row, count, depth: depth.len(), ahead };
            if copies {
                for (i, copy) in copy.chunks_exact_mut(DEPTH).enumerate().take(count) {
                    // SAFETY: the row has the numbers `depth`, and a part has at most `DEPTH`.
                    unsafe { std::ptr::copy_nonoverlapping(place(row + i), copy.as_mut_ptr(), depth.len()) };
                }
                (rows.data, rows.stride) = (copy.as_ptr(), DEPTH);
            }
            // SAFETY: by this function's contract.
            unsafe {
                match count {
                    1 => self.rows::<1, 16>(rows, &task.columns),
                    2 => self.rows::<2, 8>(rows, &task.columns),
                    _ => self.rows::<4, 4>(rows, &task.columns),
                }
            }
        }
    }

    /// Up to `M` rows by all columns of a task, `R` at a time: `M R = 16`.
    ///
    /// # Safety
    /// As [`run`](Self::run).
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn rows<const M: usize, const R: usize>(&self, rows: Rows, columns: &Range<usize>) {
        // Rows that are not there give what the last one gives.
        let places: [_; M] = std::array::from_fn(|m| rows.data.wrapping_add(m.min(rows.count - 1) * rows.stride));
        let count = columns.len();
        // SAFETY: by this function's contract; `R` columns before the last one are in the task.
        unsafe {
            if count < R {
                for column in 0..count {
                    let sums = self.sums::<M, 1, NOTHING>(places, rows.depth, column, places);
                    self.put::<1>(rows, columns.start + column, sums, 0);
                }
                return;
            }
            for (i, column) in (0..count).step_by(R).enumerate() {
                // The last block may begin among columns that are known already.
                let first = column.min(count - R);
                let sums = match rows.ahead {
                    Ahead::Columns => self.sums::<M, R, COLUMNS>(places, rows.depth, first, places),
                    Ahead::Rows { data, stride } if i < ROWS => {
                        let next = [data.wrapping_add(i * stride); M];
                        self.sums::<M, R, ROW>(places, rows.depth, first, next)
                    }
                    Ahead::Rows { .. } => self.sums::<M, R, NOTHING>(places, rows.depth, first, places),
                };
                self.put::<R>(rows, columns.start + first, sums, column - first);
            }
        }
    }

    /// The dot products of `M` rows and `R` columns of the task from `column`, row by row, then zeros.
    ///
    /// # Safety
    /// As [`run`](Self::run).
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[allow(
        clippy::indexing_slicing,
        clippy::needless_range_loop,
        reason = "constant bounds; iterators would keep the sums in memory instead of in registers"
    )]
    unsafe fn sums<const M: usize, const R: usize, const AHEAD: u8>(
        &self,
        rows: [*const f32; M],
        depth: usize,
        column: usize,
        next: [*const f32; M],
    ) -> __m512 {
        let columns = self.columns.wrapping_add(column * self.stride);
        let mut sums = [[_mm512_setzero_ps(); R]; M];
        // A macro, because a closure would keep the sums in memory.
        macro_rules! add {
            ($k:expr, $mask:expr) => {
                if AHEAD == ROW {
                    prefetch(next[0], $k);
                }
                // SAFETY: by this function's contract; masked lanes are not read.
                unsafe {
                    let numbers: [__m512; M] = rows.map(|row| f32::load(row.wrapping_add($k), $mask));
                    for r in 0..R {
                        let column = columns.wrapping_add(r * self.stride + $k);
                        if AHEAD == COLUMNS {
                            prefetch(column, R * self.stride);
                        }
                        let column = T::load(column, $mask);
                        for m in 0..M {
                            sums[m][r] = _mm512_fmadd_ps(numbers[m], column, sums[m][r]);
                        }
                    }
                }
            };
        }
        let whole = depth / TILE * TILE;
        for k in (0..whole).step_by(TILE) {
            add!(k, u16::MAX);
        }
        if whole < depth {
            add!(whole, lanes(depth - whole));
        }
        let mut all = [_mm512_setzero_ps(); TILE];
        for m in 0..M {
            for r in 0..R {
                all[m * R + r] = sums[m][r];
            }
        }
        totals(all)
    }

    /// Writes the elements of rows from `column`, `R` each, without the first `known`.
    ///
    /// # Safety
    /// The elements must be inside the product.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn put<const R: usize>(&self, rows: Rows, column: usize, sums: __m512, known: usize) {
        let mut elements = [0.0; TILE];
        // SAFETY: there is room for 16 numbers.
        unsafe { _mm512_storeu_ps(elements.as_mut_ptr(), sums) };
        for (row, elements) in elements.as_chunks::<R>().0.iter().enumerate().take(rows.count) {
            // SAFETY: by this function's contract; what is added to was written before.
            unsafe {
                let to = self.out.at(rows.first + row, column);
                match (self.out.accumulate, known) {
                    (false, 0) => to.cast::<[f32; R]>().write_unaligned(*elements),
                    (true, 0) => elements.iter().enumerate().for_each(|(i, element)| *to.add(i) += element),
                    (false, _) => {
                        elements.iter().enumerate().skip(known).for_each(|(i, element)| *to.add(i) = *element)
                    }
                    (true, _) => elements.iter().enumerate().skip(known).for_each(|(i, element)| *to.add(i) += element),
                }
            }
        }
    }
}

/// For each of 16 vectors the sum of its lanes: those of the two halves are added, then those of the halves of the sum, and so on.
#[inline]
#[target_feature(enable = "avx512f")]
#[allow(clippy::indexing_slicing, reason = "constant bounds; the shuffle is unreadable otherwise")]
fn totals(v: [__m512; TILE]) -> __m512 {
    let mut eight = [_mm512_setzero_ps(); 8];
    for (i, eight) in eight.iter_mut().enumerate() {
        // In this order the sums come out in the order of the vectors.
        let (x, y) = (v[i / 2 + i % 2 * 8], v[i / 2 + i % 2 * 8 + 4]);
        *eight = _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(x, y), _mm512_shuffle_f32x4::<0xee>(x, y));
    }
    let mut four = [_mm512_setzero_ps(); 4];
    for (i, four) in four.iter_mut().enumerate() {
        let (x, y) = (eight[2 * i], eight[2 * i + 1]);
        *four = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(x, y), _mm512_shuffle_f32x4::<0xdd>(x, y));
    }
    let mut two = [_mm512_setzero_ps(); 2];
    for (i, two) in two.iter_mut().enumerate() {
        let (x, y) = (_mm512_castps_pd(four[2 * i]), _mm512_castps_pd(four[2 * i + 1]));
        let (low, high) = (_mm512_unpacklo_pd(x, y), _mm512_unpackhi_pd(x, y));
        *two = _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high));
    }
    let [x, y] = two;
    _mm512_add_ps(_mm512_shuffle_ps::<0x88>(x, y), _mm512_shuffle_ps::<0xdd>(x, y))
}
