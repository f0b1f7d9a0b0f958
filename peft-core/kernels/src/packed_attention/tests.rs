#![allow(clippy::unwrap_used, reason = "tests")]
use candle_core::{DType, Device};

use super::*;
use crate::testing::{error, random};

const HEADS: usize = 3;
const WIDTH: usize = 24;

fn at(row: usize, position: usize) -> Option<TokenPosition> {
    Some(TokenPosition { row, position })
}

fn numbers(batch: usize, tokens: usize, seed: u64) -> Tensor {
    random(&[batch, tokens, WIDTH], seed).to_dtype(DType::F32).unwrap()
}

/// Biases of offsets from -8 to 8 that all differ.
fn bias() -> OffsetBias {
    let head = |head: usize| (0..17).map(|offset| (head * 17 + offset) as f32 / 40. - 0.6).collect();
    OffsetBias::new((0..HEADS).map(head).collect(), 8)
}

/// Attention of each token on its own, as it is defined: over the keys that `seen` lists, with the terms of head and key.
fn defined(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    token: usize,
    seen: &[usize],
    term: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    let rows = |x: &Tensor| x.flatten(0, 1).unwrap().to_vec2::<f32>().unwrap();
    let (q, k, v) = (rows(q), rows(k), rows(v));
    let d = WIDTH / HEADS;
    let mut found = Vec::new();
    for head in 0..HEADS {
        let of = |row: &[f32]| row[head * d..(head + 1) * d].to_vec();
        let dot = |key: usize| of(&q[token]).iter().zip(of(&k[key])).map(|(a, b)| a * b).sum::<f32>();
        let p: Vec<f32> = seen.iter().enumerate().map(|(i, key)| (dot(*key) + term(head, i)).exp()).collect();
        let sum: f32 = p.iter().sum();
        for feature in 0..d {
            found.push(seen.iter().zip(&p).map(|(key, p)| p / sum * of(&v[*key])[feature]).sum());
        }
    }
    found
}

fn check(options: &PackedAttention<'_>, (k, v): (&Tensor, &Tensor), expected: impl Fn(&Tensor, usize) -> Vec<f32>) {
    let tokens = options.tokens.0.len();
    let q = numbers(1, tokens, 3);
    let expected: Vec<f32> = (0..tokens).flat_map(|token| expected(&q, token)).collect();
    let expected = Tensor::from_vec(expected, q.dims(), &Device::Cpu).unwrap();
    for kernels in [Kernels::Fused, Kernels::Plain] {
        let found = packed_attention(&q, (k, v), options, kernels).unwrap();
        assert!(error(&found, &expected) < 1e-5, "{kernels:?} {:?}", options.keys);
    }
}

#[test]
fn tokens_see_their_own_row_up_to_themselves_and_every_prefix() {
    let (k, v, bias) = (numbers(2, 9, 1), numbers(2, 9, 2), bias());
    let tokens = TokenPositions(vec![at(0, 3), at(0, 4), None, at(1, 0), at(0, 5), at(0, 6), at(0, 7)]);
    for prefix in [0, 1] {
        for shift in [0, 1] {
            let keys = PackedKeys::Own { prefix };
            let bias = PackedBias { offsets: &bias, shift };
            let options = PackedAttention { bias: Some(bias), ..PackedAttention::new(HEADS, &tokens, keys) };
            check(&options, (&k, &v), |q, token| {
                let Some(TokenPosition { row, position }) = tokens.0[token] else { return vec![0.; WIDTH] };
                let seen: Vec<usize> = (0..position + prefix + 1).map(|key| row * 9 + key).collect();
                defined(q, &k, &v, token, &seen, |head, key| bias.offsets.of(head, position + shift)[key])
            });
        }
    }
}

#[test]
fn rows_of_one_source_read_it_with_and_without_padding() {
    let tokens = TokenPositions(vec![at(0, 0), at(1, 2), at(2, 1), at(3, 0)]);
    let (k, v) = (numbers(2, 5, 1), numbers(2, 5, 2));
    let mask: Vec<f32> = (0..10).map(|key| if key % 5 < 3 { 0. } else { -1e9 }).collect();
    let padded = PackedAttention {
        mask: &mask,
        ..PackedAttention::new(HEADS, &tokens, PackedKeys::Source { rows: 2, prefix: 0 })
    };
    let bias = bias();
    let with_bias = PackedAttention { bias: Some(PackedBias { offsets: &bias, shift: 0 }), ..padded };
    let own = |token: usize| tokens.0[token].unwrap();
    let seen = |token: usize| (0..3).map(|key| own(token).row / 2 * 5 + key).collect::<Vec<usize>>();
    check(&padded, (&k, &v), |q, token| defined(q, &k, &v, token, &seen(token), |_, _| 0.));
    check(&with_bias, (&k, &v), |q, token| {
        defined(q, &k, &v, token, &seen(token), |head, key| bias.of(head, own(token).position)[key])
    });
    // One key in front of each source, which has no term.
    let masks: Vec<f32> = (0..8).map(|key| if key % 4 < 2 { 0.5 } else { -1e9 }).collect();
    let keys = PackedKeys::Source { rows: 2, prefix: 1 };
    let in_front = PackedAttention { mask: &masks, ..PackedAttention::new(HEADS, &tokens, keys) };
    check(&in_front, (&k, &v), |q, token| {
        defined(q, &k, &v, token, &seen(token), |_, key| if key == 0 { 0. } else { 0.5 })
    });
    let (k, v) = (k.reshape((1, 10, WIDTH)).unwrap(), v.reshape((1, 10, WIDTH)).unwrap());
    let keys = PackedKeys::Packed { rows: 2, sentences: &[0..3, 5..8] };
    let packed = PackedAttention::new(HEADS, &tokens, keys);
    check(&packed, (&k, &v), |q, token| defined(q, &k, &v, token, &seen(token), |_, _| 0.));
}

#[test]
fn narrow_keys_and_values_give_what_they_give_when_widened() {
    // Four keys at once and some that are left over, in a run of two tokens and one of one.
    let sentences = [0..7, 7..10];
    let tokens = TokenPositions(vec![at(0, 0), at(0, 1), at(1, 0)]);
    let options = PackedAttention::new(HEADS, &tokens, PackedKeys::Packed { rows: 1, sentences: &sentences });
    let wide = [numbers(1, 10, 7), numbers(1, 10, 13)];
    let to = |x: &[Tensor; 2], dtype| [0, 1].map(|i| x[i].to_dtype(dtype).unwrap());
    let narrow = to(&wide, DType::BF16);
    for kernels in [Kernels::Fused, Kernels::Plain] {
        let find = |[k, v]: &[Tensor; 2]| {
            let found = packed_attention(&numbers(1, 3, 21), (k, v), &options, kernels).unwrap();
            found.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(find(&narrow), find(&to(&narrow, DType::F32)), "{kernels:?}");
        assert_ne!(find(&narrow), find(&wide), "{kernels:?}");
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let tokens = TokenPositions(vec![at(0, 0), at(0, 1)]);
    let options = PackedAttention::new(HEADS, &tokens, PackedKeys::Own { prefix: 0 });
    let (q, k, v) = (numbers(1, 3, 1), numbers(1, 4, 2), numbers(1, 4, 3));
    for kernels in [Kernels::Fused, Kernels::Plain] {
        let error = packed_attention(&q, (&k, &v), &options, kernels).unwrap_err().to_string();
        assert!(error.contains("packed attention: q [1, 3, 24], 2 tokens, k [1, 4, 24]"), "{error}");
    }
}
