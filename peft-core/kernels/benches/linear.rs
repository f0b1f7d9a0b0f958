//! Linear maps with frozen weights, as a T5 has them: `cargo bench -p peft-kernels --bench linear`.
//!
//! Items are multiply-adds: 100 G items/s are 200 GFLOP/s. The sizes are `rows x d_in x d_out`, of t5-small's training
//! (2048 rows), of labelling in batches (768 rows in the encoder, 64 in the decoder) and of one sentence (2 and 16 rows).
#![allow(clippy::unwrap_used, reason = "a bench may stop")]

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Device, Module, Tensor, Var};
use divan::{Bencher, counter::ItemsCount};
use peft_kernels::{Kernels, linear, quantize};

fn main() {
    divan::main();
}

const SIZES: [(usize, usize, usize); 11] = [
    (2048, 512, 512),
    (2048, 512, 2048),
    (2048, 2048, 512),
    (768, 512, 512),
    (768, 512, 2048),
    (64, 512, 512),
    (64, 512, 2048),
    (64, 2048, 512),
    (16, 512, 2048),
    (2, 512, 512),
    (2, 512, 2048),
];

fn numbers(rows: usize, columns: usize, dtype: DType) -> Tensor {
    let numbers: Vec<f32> = (0..rows * columns).map(|i| ((i * 37 + 11) % 23) as f32 - 11.).collect();
    Tensor::from_vec(numbers, (rows, columns), &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

fn forward(bencher: Bencher<'_, '_>, (rows, d_in, d_out): (usize, usize, usize), dtype: DType) {
    let (x, w) = (numbers(rows, d_in, DType::F32), numbers(d_out, d_in, dtype));
    bencher.counter(ItemsCount::new(rows * d_in * d_out)).bench_local(|| linear(&x, &w, Kernels::Fused).unwrap());
}

#[divan::bench(args = SIZES)]
fn f32(bencher: Bencher<'_, '_>, size: (usize, usize, usize)) {
    forward(bencher, size, DType::F32);
}

#[divan::bench(args = SIZES)]
fn bf16(bencher: Bencher<'_, '_>, size: (usize, usize, usize)) {
    forward(bencher, size, DType::BF16);
}

#[divan::bench(args = SIZES)]
fn int8(bencher: Bencher<'_, '_>, (rows, d_in, d_out): (usize, usize, usize)) {
    let (x, w) = (numbers(rows, d_in, DType::F32), quantize(&numbers(d_out, d_in, DType::F32)).unwrap());
    bencher.counter(ItemsCount::new(rows * d_in * d_out)).bench_local(|| linear(&x, &w, Kernels::Fused).unwrap());
}

/// Candle's own eight bits, for comparison.
#[divan::bench(args = SIZES)]
fn candle_q8_0(bencher: Bencher<'_, '_>, (rows, d_in, d_out): (usize, usize, usize)) {
    let (x, w) = (numbers(rows, d_in, DType::F32), numbers(d_out, d_in, DType::F32));
    let w = QMatMul::from_qtensor(QTensor::quantize(&w, GgmlDType::Q8_0).unwrap()).unwrap();
    bencher.counter(ItemsCount::new(rows * d_in * d_out)).bench_local(|| w.forward(&x).unwrap());
}

/// Forward and backward: twice the items of one product.
#[divan::bench(args = [(2048, 512, 512), (2048, 512, 2048)])]
fn with_gradient(bencher: Bencher<'_, '_>, (rows, d_in, d_out): (usize, usize, usize)) {
    let x = Var::from_tensor(&numbers(rows, d_in, DType::F32)).unwrap();
    let w = numbers(d_out, d_in, DType::F32);
    bencher
        .counter(ItemsCount::new(2 * rows * d_in * d_out))
        .bench_local(|| linear(&x, &w, Kernels::Fused).unwrap().backward().unwrap());
}
