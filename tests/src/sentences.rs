//! A batch of three sentences for a small T5, and variables that are moved away from initial zeros.

use candle_core::{Device, Tensor, Var};
use peft_t5::T5Batch;

/// The number of tokens of each sentence of [`batch`].
pub const LENGTHS: [usize; 3] = [5, 3, 4];

/// Three sentences with their targets.
pub fn batch() -> T5Batch {
    let ids = |rows: &[[u32; 5]; 3]| Tensor::new(rows, &Device::Cpu).unwrap();
    T5Batch {
        source: ids(&[[5, 9, 12, 7, 1], [8, 30, 1, 0, 0], [11, 6, 21, 1, 0]]),
        mask: ids(&[[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]),
        labels: ids(&[[4, 17, 9, 2, 1], [6, 3, 1, 0, 0], [14, 8, 8, 1, 0]]),
        label_tokens: 12,
    }
}

/// One sentence of the batch, without its padding.
pub fn row(n: usize) -> T5Batch {
    let batch = batch();
    let cut = |t: &Tensor| t.narrow(0, n, 1).unwrap();
    let source = |t: &Tensor| cut(t).narrow(1, 0, LENGTHS[n]).unwrap().contiguous().unwrap();
    T5Batch { source: source(&batch.source), mask: source(&batch.mask), labels: cut(&batch.labels), label_tokens: 0 }
}

/// Adds a wave of height `by` to each variable.
pub fn shift(vars: impl IntoIterator<Item = (String, Var)>, by: f32) {
    for (number, (_, var)) in vars.into_iter().enumerate() {
        let wave: Vec<f32> = (0..var.elem_count()).map(|i| by * ((i * 7 + number) as f32).sin()).collect();
        var.set(&(var.as_tensor() + Tensor::from_vec(wave, var.shape(), &Device::Cpu).unwrap()).unwrap()).unwrap();
    }
}
