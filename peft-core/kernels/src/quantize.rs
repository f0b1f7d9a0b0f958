//! Weights of eight bits: how a matrix becomes one, and how it comes back.

use candle_core::{DType, Device, Result, Storage, Tensor, bail};
use rayon::prelude::*;

use crate::gemm::Int8;
pub use crate::gemm::{INT8_TRAILER, quantize_row};
use crate::values::{argument, values};

/// A frozen weight `w [d_out, d_in]` in eight bits, which [`linear`](fn@crate::linear) takes instead of `w`.
///
/// Row `i` becomes `W'_i = round(W_i / s_i)` with `s_i = max_j |W_ij| / 127`, so an element is off by `s_i / 2` at most. The
/// result is a `u8` tensor `[d_out, d_in + 8]`. Each of its rows holds the signed bytes `W'_i`, then `s_i` (`f32`) and
/// `Σ_j W'_ij` (`i32`), which the product needs. It takes a quarter of the memory of `f32`. It has no gradient.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use peft_kernels::{Kernels, dequantize, linear, quantize};
///
/// let x = Tensor::new(&[[0.5f32, -1.0, 2.0]], &Device::Cpu)?;
/// let w = Tensor::new(&[[1.0f32, 0.5, -0.25], [0.0, 12.7, 0.1]], &Device::Cpu)?;
/// let small = quantize(&w)?;
/// assert_eq!((small.dtype(), small.dims()), (DType::U8, &[2, 3 + 8][..]));
/// assert_eq!(dequantize(&small)?.to_vec2::<f32>()?[1], [0.0, 12.7, 0.1]);
/// let y = linear(&x, &small, Kernels::Fused)?.to_vec2::<f32>()?;
/// assert!((y[0][0] + 0.5).abs() < 0.02 && (y[0][1] + 12.5).abs() < 0.1);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// Unless `w` is a matrix of floats on the CPU and is not tracked.
pub fn quantize(w: &Tensor) -> Result<Tensor> {
    let (rows, depth) = w.dims2()?;
    if !w.dtype().is_float() || !w.device().is_cpu() {
        bail!("quantize: expected floats on the CPU, got {:?} on {:?}", w.dtype(), w.device());
    }
    if w.track_op() {
        bail!("quantize: a weight of eight bits has no gradient, but this one is tracked; detach it");
    }
    let w = w.to_dtype(DType::F32)?.contiguous()?;
    let (w, mut bytes) = (values(&w)?, Vec::with_capacity(rows * (depth + INT8_TRAILER)));
    for row in 0..rows {
        quantize_row(w.get(row * depth..(row + 1) * depth).unwrap_or_default(), &mut bytes);
    }
    Tensor::from_vec(bytes, (rows, depth + INT8_TRAILER), &Device::Cpu)
}

/// The matrix `W_ij ≈ s_i W'_ij` of a weight of eight bits: `[d_out, d_in]` in `f32`. It has no gradient.
///
/// # Errors
///
/// Unless `w` was made by [`quantize`].
pub fn dequantize(w: &Tensor) -> Result<Tensor> {
    let shape = quantized_dims(w)?;
    let values = with_int8(w, |w| {
        let row = |(i, out): (usize, &mut [f32])| {
            if let Some(row) = w.rows_from(i).next() {
                out.iter_mut().zip(row.bytes).for_each(|(out, byte)| *out = f32::from(*byte as i8) * row.scale);
            }
        };
        let mut out = vec![0.0; w.rows * w.depth];
        out.par_chunks_mut(w.depth.max(1)).enumerate().for_each(row);
        Ok(out)
    })?;
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// The shape `(d_out, d_in)` of the matrix of a weight of eight bits.
///
/// # Errors
///
/// Unless `w` has the type and the rank of a result of [`quantize`].
pub fn quantized_dims(w: &Tensor) -> Result<(usize, usize)> {
    match (w.dtype(), w.dims()) {
        (DType::U8, [rows, bytes]) if *bytes >= INT8_TRAILER => Ok((*rows, bytes - INT8_TRAILER)),
        (dtype, dims) => {
            bail!("{dtype:?} {dims:?} is not a weight of eight bits: expected u8 [d_out, d_in + {INT8_TRAILER}]")
        }
    }
}

/// Calls `f` with the bytes of a weight.
pub(crate) fn with_int8<T>(w: &Tensor, f: impl FnOnce(Int8<'_>) -> Result<T>) -> Result<T> {
    let (rows, depth) = quantized_dims(w)?;
    let w = w.contiguous()?;
    let (storage, layout) = w.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(Int8 { data: argument(storage, layout)?, rows, depth }),
        _ => bail!("a weight of eight bits must be on the CPU, not on {:?}", w.device()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::testing::random;

    #[test]
    fn a_matrix_comes_back_within_half_a_step() {
        for dims in [[5, 7], [64, 512], [1, 1], [3, 0]] {
            let w = random(&dims, 1).to_dtype(DType::F32).unwrap();
            let small = quantize(&w).unwrap();
            assert_eq!(small.elem_count(), dims[0] * (dims[1] + INT8_TRAILER));
            let back: Vec<Vec<f32>> = dequantize(&small).unwrap().to_vec2().unwrap();
            for (w, back) in w.to_vec2::<f32>().unwrap().iter().zip(&back) {
                let step = w.iter().fold(0f32, |largest, w| largest.max(w.abs())) / 127.0;
                assert!(w.iter().zip(back).all(|(w, back)| (w - back).abs() <= 0.5001 * step));
            }
            // Quantizing the dequantized matrix gives the same bytes.
            let again = quantize(&dequantize(&small).unwrap()).unwrap();
            let bytes = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<u8>().unwrap();
            let apart = bytes(&small).iter().zip(bytes(&again)).filter(|(a, b)| **a != *b).count();
            assert!(apart <= 4 * dims[0], "only scales may round: {apart}");
        }
    }

    #[test]
    fn other_tensors_are_refused() {
        let whole = Tensor::ones((3, 12), DType::U32, &Device::Cpu).unwrap();
        assert!(quantize(&whole).unwrap_err().to_string().contains("expected floats"));
        let narrow = Tensor::ones((3, 7), DType::U8, &Device::Cpu).unwrap();
        assert!(dequantize(&narrow).unwrap_err().to_string().contains("[3, 7] is not a weight of eight bits"));
        let trains = candle_core::Var::ones((3, 7), DType::F32, &Device::Cpu).unwrap();
        assert!(quantize(&trains).unwrap_err().to_string().contains("detach"));
    }
}
