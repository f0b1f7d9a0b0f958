//! Initial relative position biases that prefer neighboring tokens, for models that start from random weights.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use peft_kernels::transfer;

use super::bias::Buckets;
use super::config::T5Config;
use crate::error::Result;

/// Initial relative position biases by which heads look near, by parameter name, `[buckets, heads]` each.
///
/// Of each four heads, the first falls off by `slope` for every token of distance from the token before the query, the
/// second from the token after it, the third (by a quarter of `slope`) from the query itself, and the fourth looks
/// everywhere. The idea is ALiBi's (Press et al. 2022, arXiv 2108.12409), here as an initial value and not as a constraint.
/// Small models learn very slowly to look at neighboring tokens, and the neighboring word is all that distinguishes one
/// `<extra_id_i>` from another.
///
/// # Errors
/// If a tensor cannot be made.
pub fn local_biases(config: &T5Config, slope: f64, device: &Device) -> Result<BTreeMap<String, Tensor>> {
    let sides = [("encoder", true), ("decoder", false)];
    let table = |(stack, bidirectional): (&str, bool)| {
        let name = format!("{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
        let (count, max_distance) = (config.relative_attention_num_buckets, config.relative_attention_max_distance);
        let table = table(Buckets { bidirectional, count, max_distance }, config.num_heads, slope);
        Ok((name, transfer::upload(table, (count, config.num_heads), device)?))
    };
    sides.into_iter().map(table).collect()
}

fn table(buckets: Buckets, heads: usize, slope: f64) -> Vec<f32> {
    let reach = buckets.max_distance;
    // The offset (key minus query) nearest to zero of every bucket.
    let mut offsets = vec![None; buckets.count];
    let outward = (0..=reach as i64).flat_map(|distance| [-distance, distance]);
    for offset in outward {
        let key = (reach as i64 + offset) as usize;
        if offset > 0 && !buckets.bidirectional {
            continue;
        }
        if let Some(slot @ None) = offsets.get_mut(buckets.of(reach, key) as usize) {
            *slot = Some(offset as f64);
        }
    }
    let bias = |offset: f64, head: usize| match head % 4 {
        0 => -slope * (offset + 1.).abs(),
        1 => -slope * (offset - 1.).abs(),
        2 => -slope / 4. * offset.abs(),
        _ => 0.,
    };
    let offsets = offsets.into_iter().map(|offset| offset.unwrap_or(reach as f64));
    offsets.flat_map(|offset| (0..heads).map(move |head| bias(offset, head) as f32)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn each_head_prefers_its_neighbor() {
        let buckets = Buckets { bidirectional: true, count: 32, max_distance: 128 };
        let table = table(buckets, 4, 1.5);
        let seen = |offset: i64| {
            let row = buckets.of(200, (200 + offset) as usize) as usize * 4;
            [table[row], table[row + 1], table[row + 2], table[row + 3]]
        };
        assert_eq!(seen(-1), [0., -3., -0.375, 0.]);
        assert_eq!(seen(0), [-1.5, -1.5, 0., 0.]);
        assert_eq!(seen(1), [-3., 0., -0.375, 0.]);
        assert!(seen(-100)[0] < -60. && seen(100)[1] < -60.);
    }

    #[test]
    fn a_decoder_looks_back_alone() {
        let buckets = Buckets { bidirectional: false, count: 32, max_distance: 128 };
        let table = table(buckets, 4, 1.);
        assert_eq!(table[4..8], [0., -2., -0.25, 0.], "one token back");
        assert_eq!(table[8], -1., "two tokens back");
    }
}
