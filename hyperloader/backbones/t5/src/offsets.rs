//! What depends on the offset of a key from its query alone, made on the device without a transfer.
//!
//! Buckets of distances need logarithms that round as on the processor that pretrained tables were indexed on, so they are computed there,
//! once a model. Everything else is copies and views.

use candle_core::{DType, Device, Tensor};
use peft_kernels::transfer;

use super::bias::Buckets;
use crate::error::Result;
use crate::mask::BLOCKED;

/// The bucket of every offset up to the distance from which all share one.
#[derive(Debug, Clone)]
pub(crate) struct BucketsByOffset {
    /// Those of the offsets `-max_distance..=max_distance`.
    near: Tensor,
    max_distance: usize,
}

impl BucketsByOffset {
    pub(crate) fn new(buckets: Buckets, device: &Device) -> Result<Self> {
        let max_distance = buckets.max_distance;
        let near: Vec<u32> = (0..=2 * max_distance).map(|key| buckets.of(max_distance, key)).collect();
        let count = near.len();
        Ok(Self { near: transfer::upload(near, count, device)?, max_distance })
    }

    /// The buckets of `count` successive offsets from `first` on, `[count]`.
    pub(crate) fn of(&self, first: i64, count: usize) -> Result<Tensor> {
        let (far, count) = (self.max_distance as i64, count as i64);
        // How many offsets are before the near ones, among them, and after them.
        let before = (-far - first).clamp(0, count);
        let until = (far + 1 - first).clamp(0, count);
        let edge = |place: i64, count: i64| self.near.narrow(0, place as usize, 1)?.broadcast_as(count as usize);
        let mut parts = Vec::with_capacity(3);
        if before > 0 {
            parts.push(edge(0, before)?);
        }
        if until > before {
            parts.push(self.near.narrow(0, (first + before + far) as usize, (until - before) as usize)?);
        }
        if count > until {
            parts.push(edge(2 * far, count - until)?);
        }
        Ok(Tensor::cat(&parts, 0)?.contiguous()?)
    }
}

/// The numbers of each offset, `[queries + keys - 1, heads]`, at every pair of a query and a key, `[1, heads, queries, keys]`: that of query
/// `i` and key `j` is number `j - i + queries - 1`.
pub(crate) fn spread(by_offset: &Tensor, queries: usize, keys: usize) -> Result<Tensor> {
    let (width, heads) = by_offset.dims2()?;
    let by_head = by_offset.t()?.contiguous()?;
    if queries < 2 {
        return Ok(by_head.reshape((1, heads, queries, keys))?);
    }
    // A copy for each query, read as rows that are one shorter: each begins one offset before the row above.
    let copies = by_head.unsqueeze(1)?.broadcast_as((heads, queries, width))?.contiguous()?;
    let shifted = copies.reshape((heads, queries * width))?.narrow(1, queries - 1, queries * (width - 1))?;
    let rows = shifted.reshape((heads, queries, width - 1))?.narrow(2, 0, keys)?;
    Ok(rows.unsqueeze(0)?.contiguous()?)
}

/// A term of scores for each of `count` offsets, `[count, 1]`: 0 for the first `seen`, and for the others a number that hides them.
pub(crate) fn hidden_after(seen: usize, count: usize, device: &Device) -> Result<Tensor> {
    let zeros = Tensor::zeros((seen.min(count), 1), DType::F32, device)?;
    match count.saturating_sub(seen) {
        0 => Ok(zeros),
        hidden => Ok(Tensor::cat(&[zeros, Tensor::full(BLOCKED as f32, (hidden, 1), device)?], 0)?),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use peft_core::Ctx;
    use peft_kernels::Kernels;

    use super::*;
    use crate::testing::{build, configs};

    #[test]
    fn position_biases_and_causal_masks_have_the_bits_of_the_cpus_way() {
        for t5 in configs().iter().map(build) {
            for (stack, length) in
                [(&t5.encoder, 1), (&t5.encoder, 40), (&t5.decoder, 1), (&t5.decoder, 2), (&t5.decoder, 40)]
            {
                let bias = |ctx: Ctx| {
                    let bias = stack.terms(length, None, &ctx).unwrap().bias.unwrap();
                    assert_eq!(bias.dims(), [1, t5.config().num_heads, length, length]);
                    bias.flatten_all().unwrap().to_vec1::<f32>().unwrap()
                };
                assert_eq!(bias(Ctx::eval().with_kernels(Kernels::Device)), bias(Ctx::eval()), "{length}");
            }
        }
    }

    #[test]
    fn buckets_by_offset_are_those_of_all_pairs() {
        for bidirectional in [true, false] {
            let buckets = Buckets { bidirectional, count: 32, max_distance: 128 };
            let by_offset = BucketsByOffset::new(buckets, &Device::Cpu).unwrap();
            let at = 1000;
            for (first, count) in [(-300, 700), (-5, 11), (-400, 20), (200, 30), (0, 1), (128, 3), (-129, 2)] {
                let found = by_offset.of(first, count).unwrap().to_vec1::<u32>().unwrap();
                let key = |offset: usize| (at as i64 + first) as usize + offset;
                let expected: Vec<u32> = (0..count).map(|offset| buckets.of(at, key(offset))).collect();
                assert_eq!(found, expected, "{first} {count}");
            }
        }
    }

    #[test]
    fn every_pair_gets_the_number_of_its_offset() {
        for (queries, keys) in [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5), (5, 3)] {
            let width = queries + keys - 1;
            let numbers: Vec<f32> = (0..2 * width).map(|i| i as f32).collect();
            let by_offset = Tensor::from_vec(numbers, (width, 2), &Device::Cpu).unwrap();
            let found = spread(&by_offset, queries, keys).unwrap();
            assert_eq!(found.dims(), [1, 2, queries, keys]);
            let found = found.squeeze(0).unwrap().to_vec3::<f32>().unwrap();
            for (head, found) in found.iter().enumerate() {
                for (i, found) in found.iter().enumerate() {
                    let expected: Vec<f32> = (0..keys).map(|j| (2 * (j + queries - 1 - i) + head) as f32).collect();
                    assert_eq!(*found, expected, "{queries} {keys} {head} {i}");
                }
            }
        }
    }

    #[test]
    fn offsets_after_those_that_are_seen_are_hidden() {
        let found = hidden_after(2, 4, &Device::Cpu).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(found, [0., 0., -1e9, -1e9]);
        assert_eq!(hidden_after(9, 1, &Device::Cpu).unwrap().dims(), [1, 1]);
    }
}
