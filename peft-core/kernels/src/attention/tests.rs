#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::dropout::DropoutKey;
use crate::testing::{Case, error, frozen, random};

const KEY: DropoutKey = DropoutKey { p: 0.3, seed: 5, stream: 6 };

/// `(batch, t, s, heads, d_head)`.
type Sizes = (usize, usize, usize, usize, usize);

const PLAIN: Attention<'_> =
    Attention { heads: 0, key_value_heads: 0, scale: None, bias: None, mask: None, dropout: None };

/// The fourth argument, if there is one, is the bias.
fn case(sizes: Sizes, bias: bool, mask: Option<&[usize]>, key: Option<DropoutKey>) -> Case<'static> {
    grouped(sizes, (sizes.3, None), bias, mask, key)
}

/// [`case`] with a number of heads for keys and values, and a scale.
fn grouped(
    sizes: Sizes,
    (key_value_heads, scale): (usize, Option<f32>),
    bias: bool,
    mask: Option<&[usize]>,
    dropout: Option<DropoutKey>,
) -> Case<'static> {
    let (b, t, s, heads, d_head) = sizes;
    let (q, k, scores) = ([b, t, heads * d_head], [b, s, key_value_heads * d_head], [1, heads, t, s]);
    let options = Attention { heads, key_value_heads, scale, dropout, ..PLAIN };
    let shapes: Vec<&[usize]> = if bias { vec![&q, &k, &k, &scores] } else { vec![&q, &k, &k] };
    let mask = mask.map(|dims| random(dims, 17));
    let plain_mask = mask.clone();
    Case::new(
        "attention",
        &shapes,
        move |x, kernels| {
            let mask = mask.as_ref().map(|m| m.to_dtype(x[0].dtype())).transpose()?;
            let options = Attention { bias: x.get(3), mask: mask.as_ref(), ..options };
            attention([&x[0], &x[1], &x[2]], &options, kernels)
        },
        move |x| {
            let options = Attention { bias: x.get(3), mask: plain_mask.as_ref(), ..options };
            attention_plain([&x[0], &x[1], &x[2]], &options)
        },
    )
}

#[test]
fn values_and_gradients_agree_with_plain_f64() {
    case((1, 1, 1, 1, 1), false, None, None).agrees(3e-6);
    case((2, 3, 4, 2, 5), false, Some(&[2, 1, 1, 4]), None).agrees(3e-6);
    case((3, 20, 33, 4, 16), false, Some(&[1, 1, 20, 33]), None).agrees(3e-6);
    case((3, 20, 33, 4, 16), false, None, Some(KEY)).agrees(3e-6);
}

#[test]
fn a_trained_bias_gets_its_gradient_summed_over_the_batch() {
    case((2, 3, 4, 2, 5), true, None, None).agrees(3e-6);
    case((3, 20, 33, 4, 16), true, Some(&[3, 1, 20, 33]), Some(KEY)).agrees(3e-6);
}

#[test]
fn heads_may_share_keys_and_values() {
    for key_value_heads in [1, 2, 3] {
        grouped((2, 3, 4, 6, 5), (key_value_heads, None), false, None, None).agrees(3e-6);
        let case = grouped((3, 20, 33, 6, 16), (key_value_heads, Some(0.25)), true, Some(&[3, 1, 1, 33]), Some(KEY));
        case.agrees(3e-6);
    }
    grouped((2, 2, 3, 4, 2), (2, Some(0.3)), true, Some(&[2, 1, 1, 3]), Some(KEY)).matches_finite_differences();
    grouped((5, 33, 40, 4, 16), (2, Some(0.3)), false, None, None).is_deterministic();
    (1..4).for_each(|i| frozen(&grouped((2, 3, 4, 4, 5), (2, Some(0.3)), true, None, Some(KEY)), i));
}

#[test]
fn a_group_sees_the_keys_and_values_of_its_head() {
    let tensor = |dims: &[usize], seed| random(dims, seed).to_dtype(DType::F32).unwrap();
    let (q, k, v) = (tensor(&[2, 3, 4 * 5], 1), tensor(&[2, 4, 2 * 5], 2), tensor(&[2, 4, 2 * 5], 3));
    // Heads 0 and 1 see head 0, heads 2 and 3 see head 1.
    let repeat = |x: &Tensor| {
        let head = |i: usize| x.narrow(2, i * 5, 5).unwrap();
        Tensor::cat(&[head(0), head(0), head(1), head(1)], 2).unwrap()
    };
    let run = |k: &Tensor, v: &Tensor, key_value_heads, kernels| {
        attention([&q, k, v], &Attention { heads: 4, key_value_heads, ..PLAIN }, kernels).unwrap()
    };
    for kernels in [Kernels::Fused, Kernels::Plain] {
        assert!(error(&run(&k, &v, 2, kernels), &run(&repeat(&k), &repeat(&v), 4, kernels)) < 1e-6);
    }
}

#[test]
fn a_scaled_score_is_that_of_scaled_queries() {
    let x = random(&[2, 3, 8], 1).to_dtype(DType::F32).unwrap();
    for kernels in [Kernels::Fused, Kernels::Plain] {
        let run = |q: &Tensor, scale| {
            attention([q, &x, &x], &Attention { heads: 2, key_value_heads: 2, scale, ..PLAIN }, kernels).unwrap()
        };
        assert!(error(&run(&x, Some(0.5)), &run(&(&x * 0.5).unwrap(), None)) < 1e-6);
        assert!(error(&run(&x, Some(0.5)), &run(&x, None)) > 1e-3);
    }
}

#[test]
fn plain_gradients_are_the_finite_differences() {
    case((2, 2, 3, 2, 2), true, Some(&[2, 1, 1, 3]), Some(KEY)).matches_finite_differences();
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    case((5, 33, 40, 4, 16), true, Some(&[5, 1, 1, 40]), Some(KEY)).is_deterministic();
    case((5, 33, 40, 4, 16), false, None, None).is_deterministic();
}

#[test]
fn each_argument_may_be_frozen() {
    let case = case((2, 3, 4, 2, 5), true, Some(&[2, 1, 3, 4]), Some(KEY));
    (1..4).for_each(|i| frozen(&case, i));
}

#[test]
fn frozen_queries_with_a_trained_bias_get_no_gradient() {
    frozen(&case((2, 3, 4, 2, 5), true, None, None), 0);
    frozen(&case((2, 3, 4, 2, 5), false, None, None), 0);
}

#[test]
fn masked_positions_do_not_matter() {
    let (b, t, s, heads, width) = (2, 3, 4, 2, 6);
    let tensor = |dims: &[usize], seed| random(dims, seed).to_dtype(DType::F32).unwrap();
    let (q, k, v) = (tensor(&[b, t, width], 1), tensor(&[b, s, width], 2), tensor(&[b, s, width], 3));
    let mask = Tensor::new(&[0f32, 0., 0., -1e9], &Device::Cpu).unwrap();
    let mask = mask.reshape((1, 1, 1, s)).unwrap();
    let run = |k: &Tensor, v: &Tensor, mask| {
        let options = Attention { heads, key_value_heads: heads, mask, ..PLAIN };
        attention([&q, k, v], &options, Kernels::Fused).unwrap()
    };
    let short = |x: &Tensor| x.narrow(1, 0, s - 1).unwrap();
    let masked = run(&k, &v, Some(&mask));
    assert!(error(&masked, &run(&short(&k), &short(&v), None)) < 1e-6);
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let t = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
    let (q, k) = (t(&[2, 3, 4]), t(&[2, 5, 4]));
    let run = |heads, k: &Tensor, v: &Tensor, bias: Option<&Tensor>, mask: Option<&Tensor>| {
        let options = Attention { heads, key_value_heads: heads, bias, mask, ..PLAIN };
        let y = attention([&q, k, v], &options, Kernels::Fused);
        y.unwrap_err().to_string()
    };
    let grouping = |key_value_heads, k: &Tensor| {
        let options = Attention { heads: 2, key_value_heads, ..PLAIN };
        attention([&q, k, k], &options, Kernels::Fused).unwrap_err().to_string()
    };
    assert!(run(3, &k, &k, None, None).contains("3 heads"));
    assert!(run(0, &k, &k, None, None).contains("0 heads"));
    assert!(run(2, &k, &q, None, None).contains("[2, 5, 4]"));
    assert!(grouping(3, &k).contains("3 heads of keys"));
    assert!(grouping(0, &k).contains("0 heads of keys"));
    assert!(grouping(1, &k).contains("[2, length, 2]"));
    assert!(run(2, &k, &k, Some(&t(&[2, 2, 3, 5])), None).contains("[1, 2, 3, 5]"));
    assert!(run(2, &k, &k, None, Some(&t(&[3, 1, 1, 5]))).contains("[3, 1, 1, 5]"));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn an_example_has_the_same_bits_alone_and_padded_in_a_batch() {
    let (heads, width, longest) = (2, 48, 60);
    let lengths = [1, 5, 16, 17, 33, 47, 60];
    let [q, k, v] =
        [31, 32, 33].map(|seed| random(&[lengths.len(), longest, width], seed).to_dtype(DType::F32).unwrap());
    let unseen = |length: usize| (0..longest).map(move |key| if key < length { 0f32 } else { -1e9 });
    let mask: Vec<f32> = lengths.into_iter().flat_map(unseen).collect();
    let mask = Tensor::from_vec(mask, (lengths.len(), 1, 1, longest), &Device::Cpu).unwrap();
    let options = Attention { heads, key_value_heads: heads, ..PLAIN };
    let batch = Attention { mask: Some(&mask), ..options };
    let together = attention([&q, &k, &v], &batch, Kernels::Fused).unwrap();
    for (example, length) in lengths.into_iter().enumerate() {
        let own = |x: &Tensor| x.narrow(0, example, 1).unwrap().narrow(1, 0, length).unwrap().contiguous().unwrap();
        let alone = attention([&own(&q), &own(&k), &own(&v)], &options, Kernels::Fused).unwrap();
        let bits = |x: &Tensor| {
            let numbers: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
            numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert_eq!(bits(&own(&together)), bits(&alone), "{length} of {longest}");
    }
}

#[test]
fn a_device_computes_bf16_with_a_softmax_in_f32() {
    case((2, 3, 4, 2, 8), true, Some(&[2, 1, 1, 4]), Some(KEY)).agrees_in_bf16(2.5e-2);
    grouped((3, 20, 33, 6, 16), (2, Some(0.25)), false, Some(&[3, 1, 1, 33]), None).agrees_in_bf16(2.5e-2);
}
