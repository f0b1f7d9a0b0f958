//! Sums of squares.

use candle_core::{CpuStorage, DType, Storage, Tensor};
use peft_kernels::transfer;
use rayon::prelude::*;

use crate::Result;

/// Elements that one thread sums at a time. A fixed number: a sum must not depend on the number of threads.
pub(super) const SUM_CHUNK: usize = 1 << 16;

/// Squares that a device adds in `f32` before their sum is widened.
const NARROW: usize = 256;

/// `Σ x²` as a scalar on the device of `x`: `f64`, or `f32` on Metal, which has no `f64`.
pub(super) fn square_sum(x: &Tensor) -> Result<Tensor> {
    let x = x.flatten_all()?;
    let wide = if x.device().is_metal() { DType::F32 } else { DType::F64 };
    let count = x.elem_count();
    let (rows, rest) = (count / NARROW, count % NARROW);
    let mut sums = Vec::with_capacity(2);
    if rows > 0 {
        sums.push(x.narrow(0, 0, rows * NARROW)?.reshape((rows, NARROW))?.sqr()?.sum(1)?);
    }
    if rest > 0 {
        sums.push(x.narrow(0, rows * NARROW, rest)?.sqr()?.sum_keepdim(0)?);
    }
    if sums.is_empty() {
        return Ok(Tensor::zeros((), wide, x.device())?);
    }
    Ok(Tensor::cat(&sums, 0)?.to_dtype(wide)?.sum_all()?)
}

/// `Σ x²` of a tensor on the CPU, accumulated in f64 in a fixed order.
pub(super) fn host_square_sum(x: &Tensor) -> Result<f64> {
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    if let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) = (&*storage, layout.contiguous_offsets())
        && let Some(values) = values.get(start..end)
    {
        let partial: Vec<f64> = values.par_chunks(SUM_CHUNK).map(square_sum_of).collect();
        return Ok(partial.iter().sum());
    }
    drop(storage);
    Ok(transfer::download_scalar::<f64>(&x.to_dtype(DType::F64)?.sqr()?.sum_all()?)?)
}

/// `Σ x²` in f64, in eight lanes that the processor can add in parallel.
fn square_sum_of(values: &[f32]) -> f64 {
    let (blocks, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0_f64; 8];
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            let value = f64::from(value);
            *lane += value * value;
        }
    }
    let rest: f64 = rest.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    lanes.iter().sum::<f64>() + rest
}
