//! Relative position bias: one learned number per head and bucket of distances, added to attention scores.
//!
//! Half of the buckets hold one distance each; the other half grow logarithmically up to a maximum distance.

use candle_core::{DType, Tensor};
use peft_core::{Ctx, normal};
use peft_kernels::{self as ops, OffsetBias, transfer};

use super::builder::{Builder, inverse_sqrt};
use crate::error::Result;
use crate::offsets::{BucketsByOffset, spread};
use peft_core::layers::Weight;

/// How distances fall into buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Buckets {
    /// Whether keys after the query have buckets of their own (the first half holds those before it, and itself).
    pub(super) bidirectional: bool,
    /// The number of buckets.
    pub(super) count: usize,
    /// From this distance on, all positions share the last bucket.
    pub(super) max_distance: usize,
}

impl Buckets {
    /// The bucket of `key` as seen from `query`.
    ///
    /// In single precision, because pretrained tables were indexed so.
    pub(super) fn of(self, query: usize, key: usize) -> u32 {
        let (count, base) = match self.bidirectional {
            true if key > query => (self.count / 2, self.count / 2),
            true => (self.count / 2, 0),
            false => (self.count, 0),
        };
        let distance = if self.bidirectional { query.abs_diff(key) } else { query.saturating_sub(key) };
        let exact = count / 2;
        if distance < exact {
            return (base + distance) as u32;
        }
        let range = (self.max_distance as f64 / exact as f64).ln() as f32;
        let share = (distance as f32 / exact as f32).ln() / range;
        let far = exact + (share * (count - exact) as f32) as usize;
        (base + far.min(count - 1)) as u32
    }
}

/// The table of a relative position bias, `[buckets, heads]`, shared by all layers of a stack.
#[derive(Debug, Clone)]
pub(super) struct RelativeBias {
    pub(super) table: Weight,
    pub(super) buckets: Buckets,
    /// On a device: the buckets where the table is.
    by_offset: BucketsByOffset,
}

impl RelativeBias {
    /// The table of the attention module at `path`.
    pub(super) fn new(builder: &Builder<'_>, path: &str, bidirectional: bool) -> Result<Self> {
        let config = builder.config;
        let (count, max_distance) = (config.relative_attention_num_buckets, config.relative_attention_max_distance);
        let name = format!("{path}.relative_attention_bias.weight");
        let table = builder.weight(name, &[count, config.num_heads], normal(inverse_sqrt(config.d_model)))?;
        let buckets = Buckets { bidirectional, count, max_distance };
        let by_offset = BucketsByOffset::new(buckets, table.value.device())?;
        Ok(Self { table, buckets, by_offset })
    }

    /// The bias of the queries `first..first + queries` on the keys `0..keys`, `[1, heads, queries, keys]`.
    pub(super) fn forward(&self, first: usize, queries: usize, keys: usize, ctx: &Ctx) -> Result<Tensor> {
        let device = self.table.value.device();
        if ctx.goes_device_way(device) {
            let first_offset = -((first + queries) as i64 - 1);
            return spread(&self.of_offsets(first_offset, (queries + keys).saturating_sub(1), ctx)?, queries, keys);
        }
        let pairs = (first..first + queries).flat_map(|q| (0..keys).map(move |k| (q, k)));
        let buckets: Vec<u32> = pairs.map(|(q, k)| self.buckets.of(q, k)).collect();
        let ids = transfer::upload(buckets, (queries, keys), device)?;
        let bias = ops::embedding(&ids, &self.table.value, ctx.kernels())?;
        Ok(bias.permute((2, 0, 1))?.unsqueeze(0)?.contiguous()?)
    }

    /// The biases of `count` successive offsets of the key's position from the query's, the first of which is `first`: `[count, heads]`.
    /// Nothing is transferred.
    pub(super) fn of_offsets(&self, first: i64, count: usize, ctx: &Ctx) -> Result<Tensor> {
        let buckets = self.by_offset.of(first, count)?.unsqueeze(0)?;
        Ok(ops::embedding(&buckets, &self.table.value, ctx.kernels())?.squeeze(0)?)
    }

    /// The bias by offset, for queries up to position `back` and keys up to `ahead` after them.
    pub(super) fn offsets(&self, back: usize, ahead: usize) -> Result<OffsetBias> {
        let table: Vec<Vec<f32>> = transfer::download_rows(&self.table.value.to_dtype(DType::F32)?.t()?.contiguous()?)?;
        let width = back + ahead + 1;
        let buckets: Vec<usize> = (0..width).map(|key| self.buckets.of(back, key) as usize).collect();
        let of_head =
            |head: &Vec<f32>| buckets.iter().map(|bucket| head.get(*bucket).copied().unwrap_or_default()).collect();
        Ok(OffsetBias::new(table.iter().map(of_head).collect(), back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The border of each logarithmic bucket: the first distance that falls into it.
    fn borders(buckets: Buckets) -> Vec<usize> {
        let bucket = |distance: usize| buckets.of(1000, 1000 - distance);
        (1..300).filter(|d| bucket(*d) != bucket(d - 1)).collect()
    }

    #[test]
    fn the_encoder_has_sixteen_buckets_for_each_direction() {
        let buckets = Buckets { bidirectional: true, count: 32, max_distance: 128 };
        // 8 · 16^(n/8) for n = 1..7, rounded up.
        assert_eq!(borders(buckets), [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]);
        assert_eq!([0, 7, 8, 127, 5000].map(|d| buckets.of(d, 0)), [0, 7, 8, 15, 15]);
        assert_eq!([1, 7, 8, 127, 5000].map(|d| buckets.of(0, d)), [17, 23, 24, 31, 31]);
    }

    #[test]
    fn the_decoder_has_thirty_two_buckets_for_the_past_and_none_for_the_future() {
        let buckets = Buckets { bidirectional: false, count: 32, max_distance: 128 };
        let exact = 1..=16;
        // 16 · 8^(n/16) for n = 1..15, rounded up.
        let far = [19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113];
        assert_eq!(borders(buckets), exact.chain(far).collect::<Vec<_>>());
        assert_eq!([1, 10, 500].map(|d| buckets.of(0, d)), [0, 0, 0]);
    }
}
