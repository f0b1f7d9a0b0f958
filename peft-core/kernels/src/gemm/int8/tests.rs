#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

/// Numbers between -1 and 1 with a few large ones, as activations have.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|i| if i % 97 == 13 { 6.0 * next() } else { next() }).collect()
}

fn weight(w: &[f32], depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    w.chunks_exact(depth).for_each(|row| quantize_row(row, &mut bytes));
    bytes
}

const SHAPES: [[usize; 3]; 9] = [
    [1, 4, 32],
    [2, 512, 512],
    [16, 64, 96],
    [17, 61, 64],
    [33, 130, 32],
    [64, 2048, 128],
    [100, 5, 160],
    [129, 512, 64],
    [3, 7, 5],
];

#[test]
fn every_processor_computes_the_same_bits() {
    for [rows, depth, columns] in SHAPES {
        let (x, w) = (numbers(rows * depth, 1), weight(&numbers(columns * depth, 2), depth));
        let w = Int8 { data: &w, rows: columns, depth };
        let plain = plain::product(&x, rows, w, Threads::All);
        for threads in [Threads::One, Threads::All] {
            assert_eq!(product_int8(&x, rows, w, threads).unwrap(), plain, "{rows} by {depth} by {columns}");
        }
    }
}

#[test]
fn an_element_is_the_product_of_the_rounded_numbers() {
    for [rows, depth, columns] in SHAPES {
        let (x, w) = (numbers(rows * depth, 3), weight(&numbers(columns * depth, 4), depth));
        let w = Int8 { data: &w, rows: columns, depth };
        let found = product_int8(&x, rows, w, Threads::All).unwrap();
        let x = rounded(&x, depth);
        for (x, found) in x.chunks_exact(depth).zip(found.chunks_exact(columns)) {
            for (row, found) in w.rows_from(0).zip(found) {
                let terms = x.iter().zip(row.bytes).map(|(x, w)| f64::from(*x) * f64::from(*w as i8));
                let expected = terms.sum::<f64>() * f64::from(row.scale);
                assert!((expected - f64::from(*found)).abs() < 1e-5 * expected.abs().max(1.0), "{expected} {found}");
            }
        }
    }
}

#[test]
fn steps_cover_a_row_and_keep_its_zeros() {
    for row in [vec![0.0, 3.0, 255.0], vec![-5.0, 0.0, 5.0], vec![-7.0, -1.0, 0.0], vec![0.0; 3], vec![1e-38, 0.0, 0.0]]
    {
        let largest = row.iter().fold(0f32, |largest, x: &f32| largest.max(x.abs()));
        let range = row.iter().copied().fold(0.0, f32::max) - row.iter().copied().fold(0.0, f32::min);
        for (x, rounded) in row.iter().zip(rounded(&row, row.len())) {
            assert!((x - rounded).abs() <= 0.5001 * range / 255.0 + 1e-37, "{x} became {rounded} of {largest}");
            assert!(*x != 0.0 || rounded == 0.0);
        }
    }
}

#[test]
fn a_number_that_is_not_finite_makes_only_its_row_nan() {
    let depth = 70;
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (mut x, mut w) = (numbers(3 * depth, 5), numbers(64 * depth, 6));
        x[depth + 69] = odd;
        w[40 * depth + 3] = odd;
        let w = weight(&w, depth);
        let w = Int8 { data: &w, rows: 64, depth };
        for found in [product_int8(&x, 3, w, Threads::All).unwrap(), plain::product(&x, 3, w, Threads::All)] {
            for (i, found) in found.iter().enumerate() {
                let (row, column) = (i / 64, i % 64);
                assert_eq!(found.is_nan(), row == 1 || column == 40, "{row}, {column}: {found}");
            }
        }
    }
}

/// With debug assertions, an overflow would panic.
#[test]
fn a_stored_sum_of_any_size_gives_the_same_bits_on_every_processor() {
    let (depth, x) = (70, numbers(3 * 70, 7));
    let mut data = weight(&numbers(64 * depth, 8), depth);
    for (row, sum) in data.chunks_exact_mut(depth + INT8_TRAILER).zip([i32::MIN, i32::MAX].into_iter().cycle()) {
        row[depth + 4..].copy_from_slice(&sum.to_le_bytes());
    }
    let w = Int8 { data: &data, rows: 64, depth };
    assert_eq!(product_int8(&x, 3, w, Threads::One).unwrap(), plain::product(&x, 3, w, Threads::One));
}

#[test]
fn the_stored_sum_is_that_of_the_bytes_even_if_a_number_is_not_finite() {
    for odd in [0.25, f32::NAN, f32::INFINITY, f32::MAX] {
        let data = weight(&[1.0, odd, -3.0, 0.5], 4);
        let row = Int8 { data: &data, rows: 1, depth: 4 }.rows_from(0).next().unwrap();
        assert_eq!(row.sum, row.bytes.iter().map(|byte| i32::from(*byte as i8)).sum::<i32>());
        assert_eq!(row.scale.is_nan(), !odd.is_finite());
    }
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    let w = weight(&numbers(8, 1), 4);
    let refused = |x: &[f32], rows, w| product_int8(x, rows, w, Threads::One).unwrap_err().to_string();
    let error = refused(&[0.0; 7], 2, Int8 { data: &w, rows: 2, depth: 4 });
    assert!(error.contains("7 elements, expected 2 × 4"), "{error}");
    let error = refused(&[0.0; 8], 2, Int8 { data: &w[1..], rows: 2, depth: 4 });
    assert!(error.contains("2 rows of 4 bytes"), "{error}");
    let depth = DEEPEST + 1;
    let error = refused(&vec![0.0; depth], 1, Int8 { data: &vec![0; depth + INT8_TRAILER], rows: 1, depth });
    assert!(error.contains("too long"), "{error}");
}

#[test]
fn sums_of_nothing_are_zeros() {
    let w = weight(&numbers(8, 1), 4);
    assert!(product_int8(&[], 0, Int8 { data: &w, rows: 2, depth: 4 }, Threads::One).unwrap().is_empty());
    let mut empty = Vec::new();
    (0..32).for_each(|_| quantize_row(&[], &mut empty));
    let w = Int8 { data: &empty, rows: 32, depth: 0 };
    assert_eq!(product_int8(&[], 3, w, Threads::One).unwrap(), [0.0; 96]);
}
