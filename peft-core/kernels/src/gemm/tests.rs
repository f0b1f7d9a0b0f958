#![allow(clippy::unwrap_used, reason = "tests")]

use ::half::bf16;

use super::bf16::multiply_converted;
use super::*;
#[cfg(target_arch = "x86_64")]
use super::{isa::Isa, output::Output};

fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + 11) % 23) as f32 - 11.0).collect()
}

/// Small integers, so that sums are exact in any order.
fn naive(a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize)) -> Vec<f32> {
    let entry = |i: usize| (0..k).map(|l| a[i / n * k + l] * b[l * n + i % n]).sum();
    (0..m * n).map(entry).collect()
}

#[test]
fn products_agree_with_the_definition_for_every_layout() {
    for dims @ (m, k, n) in [(1, 5, 1), (3, 1, 4), (7, 9, 2), (33, 65, 40), (2, 0, 3)] {
        let (a, b) = (numbers(m * k), numbers(k * n));
        let expected = naive(&a, &b, dims);
        let (va, vb) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
        assert_eq!(product(va, vb, Threads::All).unwrap(), expected);
        let transposed = product(vb.t(), va.t(), Threads::One).unwrap();
        let back: Vec<f32> = (0..m * n).map(|i| transposed[i % n * m + i / n]).collect();
        assert_eq!(back, expected);
    }
}

#[test]
fn a_strided_product_leaves_the_gaps_alone_and_accumulates() {
    let (a, b) = (numbers(6), numbers(8));
    let expected = naive(&a, &b, (3, 2, 4));
    let mut out = [5.0; 3 * 6];
    let view = MatrixMut::strided(&mut out[1..], 3, 4, 6);
    let (va, vb) = (Matrix::new(&a, 3, 2), Matrix::new(&b, 2, 4));
    multiply_add(view, va, vb, Threads::One).unwrap();
    for (i, value) in out.iter().enumerate() {
        let (row, col) = (i / 6, i % 6);
        let sum = if (1..5).contains(&col) { expected[row * 4 + col - 1] } else { 0.0 };
        assert_eq!(*value, 5.0 + sum, "row {row}, column {col}");
    }
}

#[test]
fn nothing_outside_a_slice_is_touched() {
    let data = numbers(6);
    let fine = Matrix::new(&data, 2, 3);
    assert!(product(fine, fine, Threads::One).is_err());
    assert!(product(Matrix::new(&data, 3, 3), fine.t(), Threads::One).is_err());
    let huge = Matrix::strided(&data, 3, 2, usize::MAX);
    assert!(product(huge, fine, Threads::One).is_err());
    let mut small = [0.0; 3];
    let out = MatrixMut::new(&mut small, 2, 2);
    assert!(multiply(out, fine, fine.t(), Threads::One).is_err());
    let mut overlapping = [0.0; 9];
    let out = MatrixMut::strided(&mut overlapping, 2, 2, 1);
    assert!(multiply(out, fine, fine.t(), Threads::One).is_err());
}

/// Pseudo-random numbers in `[-1, 1)`.
fn random(n: usize, seed: u64) -> Vec<f32> {
    let next = |state: &mut u64| {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        Some((*state >> 40) as f32 / (1u32 << 23) as f32 - 1.0)
    };
    std::iter::repeat_n((), n).scan(seed, |state, ()| next(state)).collect()
}

/// `sqrt(sum((y - a b)²) / sum((a b)²))`, in f64; `a` and `b` are row-major.
fn relative_error(y: &[f32], a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize)) -> f64 {
    let (mut difference, mut size) = (0.0, 0.0);
    for i in 0..m * n {
        let exact: f64 = (0..k).map(|l| f64::from(a[i / n * k + l]) * f64::from(b[l * n + i % n])).sum();
        difference += (exact - f64::from(y[i])).powi(2);
        size += exact * exact;
    }
    (difference / size).sqrt()
}

/// `[rows, cols]` transposed.
fn transposed<T: Copy>(x: &[T], rows: usize, cols: usize) -> Vec<T> {
    (0..rows * cols).map(|i| x[i % rows * cols + i / rows]).collect()
}

/// Few and many rows, in sizes that are and are not multiples of tiles, blocks, vectors and steps.
const LARGE: [(usize, usize, usize); 14] = [
    (16, 40, 24),
    (64, 300, 64),
    (97, 1100, 70),
    (130, 129, 520),
    (70, 260, 1300),
    (40, 9000, 33),
    (17, 700, 128),
    (96, 1000, 64),
    (1, 130, 64),
    (2, 700, 80),
    (3, 65, 128),
    (8, 512, 96),
    (9, 77, 64),
    (120, 50, 96),
];

#[test]
fn large_products_are_as_exact_as_f32_for_every_layout() {
    for dims @ (m, k, n) in LARGE {
        let (a, b) = (random(m * k, 1), random(k * n, 2));
        let (at, bt) = (transposed(&a, m, k), transposed(&b, k, n));
        for a_view in [Matrix::new(&a, m, k), Matrix::new(&at, k, m).t()] {
            for b_view in [Matrix::new(&b, k, n), Matrix::new(&bt, n, k).t()] {
                let y = product(a_view, b_view, Threads::All).unwrap();
                let error = relative_error(&y, &a, &b, dims);
                assert!(error < 1e-6, "{dims:?} {error:e}");
                let mut twice = y.clone();
                multiply_add(MatrixMut::new(&mut twice, m, n), a_view, b_view, Threads::One).unwrap();
                twice.iter_mut().for_each(|y| *y /= 2.0);
                assert!(relative_error(&twice, &a, &b, dims) < 1e-6, "{dims:?}");
            }
        }
    }
}

#[test]
fn numbers_of_any_size_keep_their_last_bits() {
    let (m, k, n) = (64, 256, 64);
    let scale = |x: Vec<f32>, by: f32| x.into_iter().map(|x| x * by).collect::<Vec<f32>>();
    for by in [1e-15, 1e15] {
        let (a, b) = (scale(random(m * k, 3), by), scale(random(k * n, 4), by));
        let y = product(Matrix::new(&a, m, k), Matrix::new(&b, k, n), Threads::One).unwrap();
        assert!(relative_error(&y, &a, &b, (m, k, n)) < 1e-6);
    }
}

/// The product on every path that this processor has for `bf16`.
fn bf16_products(a: Matrix<'_>, b: Matrix<'_, bf16>) -> Vec<(&'static str, Vec<f32>)> {
    let empty = || vec![7.0; a.rows * b.cols];
    let mut all = vec![("chosen", product_bf16(Order::Independent, a, b, Threads::All).unwrap())];
    let mut converted = empty();
    multiply_converted(Order::Independent, MatrixMut::new(&mut converted, a.rows, b.cols), a, b, Threads::One).unwrap();
    all.push(("converted", converted));
    #[cfg(target_arch = "x86_64")]
    {
        let (tiles, pairs) = (Isa::detect() == Isa::Amx, is_x86_feature_detected!("avx512bf16"));
        for (how, isa, is_there) in [("tiles", Isa::Amx, tiles), ("pairs", Isa::PairsOfBf16, pairs)] {
            if is_there {
                let mut y = empty();
                // SAFETY: the sizes fit, and the processor has `isa`.
                unsafe { tiles::product_bf16(isa, Output::new(y.as_mut_ptr(), b.cols), a, b, Threads::One) };
                all.push((how, y));
            }
        }
        if Isa::detect().has_vectors() && dot::applies(&a, &b) {
            let mut y = empty();
            // SAFETY: as above.
            unsafe { dot::on_vectors(Output::new(y.as_mut_ptr(), b.cols), a, b, Threads::One) };
            all.push(("dot products", y));
        }
        if fma::applies(Isa::detect(), &a, &b) {
            let mut y = empty();
            // SAFETY: as above.
            unsafe { fma::product(Output::new(y.as_mut_ptr(), b.cols), a, b, Threads::One) };
            all.push(("vectors", y));
        }
    }
    all
}

#[test]
fn products_with_bf16_weights_are_within_its_rounding() {
    for (m, k, n) in [(1, 64, 32), (3, 40, 17), (1, 200, 64), (7, 50, 80), (33, 96, 64), (128, 512, 96), (150, 70, 130)]
    {
        let a = random(m * k, 5);
        let b: Vec<bf16> = random(k * n, 6).into_iter().map(bf16::from_f32).collect();
        let exact: Vec<f32> = b.iter().map(|x| x.to_f32()).collect();
        let bt = transposed(&b, k, n);
        for view in [Matrix::new(&b, k, n), Matrix::new(&bt, n, k).t()] {
            for (how, y) in bf16_products(Matrix::new(&a, m, k), view) {
                let error = relative_error(&y, &a, &exact, (m, k, n));
                assert!(error < 4e-3, "{how} {m} {k} {n} {error:e}");
            }
        }
    }
}

#[test]
fn a_strided_bf16_product_leaves_the_gaps_alone() {
    let (m, k, n) = (40, 64, 32);
    let a = random(m * k, 7);
    let w: Vec<bf16> = random(n * k, 8).into_iter().map(bf16::from_f32).collect();
    let (a, b) = (Matrix::new(&a, m, k), Matrix::new(&w, n, k).t());
    let expected = product_bf16(Order::Independent, a, b, Threads::One).unwrap();
    let mut out = vec![5.0; m * (n + 3)];
    multiply_bf16(Order::Independent, MatrixMut::strided(&mut out, m, n, n + 3), a, b, Threads::One).unwrap();
    for (row, expected) in out.chunks(n + 3).zip(expected.chunks(n)) {
        assert_eq!((&row[..n], &row[n..]), (expected, &[5.0; 3][..]));
    }
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for (m, k, n) in LARGE {
        let (a, b) = (random(m * k, 9), random(k * n, 10));
        let narrow: Vec<bf16> = b.iter().copied().map(bf16::from_f32).collect();
        let (a, narrow) = (Matrix::new(&a, m, k), Matrix::new(&narrow, k, n));
        let both = [Matrix::new(&b, k, n), Matrix::new(&b, n, k).t()];
        let run = |threads| {
            (
                both.map(|b| product(a, b, threads).unwrap()),
                product_bf16(Order::Independent, a, narrow, threads).unwrap(),
            )
        };
        assert_eq!(pool.install(|| run(Threads::All)), run(Threads::One));
    }
}

/// Inner dimensions and widths around the sizes of vectors, tiles, blocks and parts of a sum, and around the sizes at which another
/// way of computing begins.
#[cfg(target_arch = "x86_64")]
const WEIGHTS: [(usize, usize); 14] = [
    (1, 1),
    (5, 16),
    (16, 17),
    (31, 32),
    (33, 64),
    (64, 65),
    (65, 31),
    (100, 96),
    (130, 33),
    (512, 64),
    (700, 96),
    (1024, 15),
    (1030, 40),
    (2100, 32),
];

/// `x W^T` for rows `x`.
#[cfg(target_arch = "x86_64")]
type Map = Box<dyn Fn(&[f32], usize, Threads) -> Vec<f32> + Sync>;

/// Maps with a weight of each type, `[n, k]`.
#[cfg(target_arch = "x86_64")]
fn maps(k: usize, n: usize) -> [(&'static str, Map); 4] {
    let w = random(n * k, 12);
    let narrow: Vec<bf16> = w.iter().copied().map(bf16::from_f32).collect();
    let mut bytes = Vec::new();
    w.chunks(k).for_each(|row| quantize_row(row, &mut bytes));
    let added_to = w.clone();
    let add = move |x: &[f32], rows, threads| {
        let mut y = vec![0.3; rows * n];
        let b = Matrix::new(&added_to, n, k).t();
        multiply_add(MatrixMut::new(&mut y, rows, n), Matrix::new(x, rows, k), b, threads).unwrap();
        y
    };
    let wide =
        move |x: &[f32], rows, threads| product(Matrix::new(x, rows, k), Matrix::new(&w, n, k).t(), threads).unwrap();
    let narrow = move |x: &[f32], rows, threads| {
        product_bf16(Order::Independent, Matrix::new(x, rows, k), Matrix::new(&narrow, n, k).t(), threads).unwrap()
    };
    let int8 = move |x: &[f32], rows, threads| {
        product_int8(x, rows, Int8 { data: &bytes, rows: n, depth: k }, threads).unwrap()
    };
    [("f32", Box::new(wide)), ("added to", Box::new(add)), ("bf16", Box::new(narrow)), ("int8", Box::new(int8))]
}

#[cfg(target_arch = "x86_64")]
fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_row_has_the_same_bits_alone_and_among_any_number_of_rows() {
    const MOST: usize = 70;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    for (k, n) in WEIGHTS {
        let x = random(MOST * k, 11);
        for (what, map) in maps(k, n) {
            let alone: Vec<f32> = x.chunks(k).flat_map(|row| map(row, 1, Threads::One)).collect();
            for rows in 2..=MOST {
                for threads in [Threads::One, Threads::All] {
                    let together = pool.install(|| map(&x[..rows * k], rows, threads));
                    assert_eq!(bits(&together), bits(&alone[..rows * n]), "{what} {rows} x {k} x {n} {threads:?}");
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_fastest_order_gives_the_same_product_but_for_rounding() {
    let (m, k, n) = (1100, 130, 70);
    let (a, w) = (random(m * k, 15), random(n * k, 16));
    let narrow: Vec<bf16> = w.iter().copied().map(bf16::from_f32).collect();
    let (x, f32, bf16) = (Matrix::new(&a, m, k), Matrix::new(&w, n, k).t(), Matrix::new(&narrow, n, k).t());
    let wide: Vec<f32> = narrow.iter().map(|x| x.to_f32()).collect();
    let fast = [
        product_in(Order::Fastest, x, f32, Threads::All).unwrap(),
        product_bf16(Order::Fastest, x, bf16, Threads::All).unwrap(),
    ];
    for ((fast, weight), most) in fast.iter().zip([&w, &wide]).zip([1e-6, 4e-3]) {
        assert!(relative_error(fast, &a, &transposed(weight, n, k), (m, k, n)) < most);
    }
    let slow = product_in(Order::Independent, x, f32, Threads::All).unwrap();
    assert_eq!(bits(&slow[..n]), bits(&product(Matrix::new(&a, 1, k), f32, Threads::One).unwrap()));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn padding_changes_no_bit_of_a_padded_product() {
    for (k, n) in WEIGHTS {
        for (rows, more) in [(1, 1), (7, 16), (40, 23), (3, 600)] {
            let (a, b) = (random(rows * k, 13), random((k + more) * n, 14));
            let longer: Vec<f32> = a.chunks(k).flat_map(|row| [row, &vec![0.0; more]].concat()).collect();
            let bt = transposed(&b, k + more, n);
            for by_column in [false, true] {
                let b = |depth| match by_column {
                    true => Matrix::strided(&bt, n, depth, k + more).t(),
                    false => Matrix::new(&b, depth, n),
                };
                let run = |a: &[f32], rows, depth| {
                    let mut y = vec![7.0; rows * n];
                    let (to, a) = (MatrixMut::new(&mut y, rows, n), Matrix::new(a, rows, depth));
                    multiply_padded(to, a, b(depth), Threads::One).unwrap();
                    y
                };
                let (alone, padded) = (run(&a, rows, k), run(&longer, rows, k + more));
                assert_eq!(bits(&padded), bits(&alone), "{rows} x {k} + {more} x {n}");
                let first = run(&longer[..k + more], 1, k + more);
                assert_eq!(bits(&first), bits(&alone[..n]), "one row of {rows} x {k} + {more} x {n}");
                let exact = product(Matrix::new(&a, rows, k), b(k), Threads::One).unwrap();
                let close = |(x, y): (&f32, &f32)| (x - y).abs() < 1e-3;
                assert!(alone.iter().zip(&exact).all(close), "{rows} x {k} x {n}");
            }
        }
    }
}

#[test]
fn a_padded_product_needs_contiguous_numbers_and_without_any_it_is_zero() {
    let data = numbers(12);
    let mut y = [7.0; 4];
    let (a, b) = (Matrix::new(&data, 2, 3), Matrix::new(&data, 3, 2));
    assert!(multiply_padded(MatrixMut::new(&mut y, 2, 2), Matrix::new(&data, 3, 2).t(), b, Threads::One).is_err());
    let nothing = Matrix::new(&data, 0, 2);
    multiply_padded(MatrixMut::new(&mut y, 2, 2), Matrix { cols: 0, ..a }, nothing, Threads::One).unwrap();
    assert_eq!(y, [0.0; 4]);
}
