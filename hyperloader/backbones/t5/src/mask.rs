//! Masks as terms of attention scores: 0 where a key is seen, a large negative number where it is not.

use candle_core::{DType, Tensor};
use peft_kernels::transfer;

use crate::error::Result;

/// Far below every score, so that `exp` of it is exactly 0, yet finite: a row without any key stays a distribution.
pub(super) const BLOCKED: f64 = -1e9;

/// The encoder's padding mask, `[batch, source]` of 0 and 1, as a term `[batch, 1, 1, source]`.
pub(super) fn padding(mask: &Tensor, dtype: DType) -> Result<Tensor> {
    let (batch, source) = mask.dims2()?;
    // mask · 1e9 - 1e9
    Ok(mask.to_dtype(dtype)?.affine(-BLOCKED, BLOCKED)?.reshape((batch, 1, 1, source))?)
}

/// The padding mask `[batch, source]` once methods have put positions in front of the source, `length` in all.
pub(super) fn with_front(mask: &Tensor, length: usize) -> Result<Tensor> {
    let (batch, source) = mask.dims2()?;
    if length <= source {
        return Ok(mask.clone());
    }
    let front = Tensor::ones((batch, length - source), mask.dtype(), mask.device())?;
    Ok(Tensor::cat(&[&front, mask], 1)?)
}

/// The causal mask of the queries `first..first + queries` on `keys` keys, `[1, 1, queries, keys]`; `None` where it would
/// block nothing. It has the type and the device of `like`.
pub(super) fn causal(first: usize, queries: usize, keys: usize, like: &Tensor) -> Result<Option<Tensor>> {
    if keys <= first + 1 {
        return Ok(None);
    }
    let term = |query: usize, key: usize| if key <= query { 0f32 } else { BLOCKED as f32 };
    let rows = first..first + queries;
    let terms: Vec<f32> = rows.flat_map(|query| (0..keys).map(move |key| term(query, key))).collect();
    Ok(Some(transfer::upload(terms, (1, 1, queries, keys), like.device())?.to_dtype(like.dtype())?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::*;

    #[test]
    fn padding_blocks_exactly_what_is_masked() {
        let mask = Tensor::new(&[[1u32, 1, 0]], &Device::Cpu).unwrap();
        let term: Vec<f32> = padding(&mask, DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(term, [0., 0., -1e9]);
    }

    #[test]
    fn a_query_sees_itself_and_what_comes_before() {
        let like = Tensor::zeros((), DType::F32, &Device::Cpu).unwrap();
        let blocked = |first, queries, keys| causal(first, queries, keys, &like).unwrap();
        let term = blocked(1, 2, 4).unwrap();
        assert_eq!(term.dims(), [1, 1, 2, 4]);
        let b = -1e9;
        assert_eq!(term.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [0., 0., b, b, 0., 0., 0., b]);
        assert!(blocked(5, 1, 6).is_none());
    }
}
