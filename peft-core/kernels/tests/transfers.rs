//! The device's way of every operation copies nothing between host and device, in both passes. The counter is one of the process, so this
//! is the only test of its program.
#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device, Result, Tensor, Var};
use peft_kernels::transfer::{Transfers, upload};
use peft_kernels::{
    Activation, Attention, Bottleneck, DropoutKey, FeedForward, Kernels, LayerNorm, LowRank, Reduction, Rotary,
    RotaryLayout, RotaryPairs, SmoothedCrossEntropy, add_bias, attention, bottleneck, dropout, embedding, feed_forward,
    gated, layer_norm, linear, linear_low_rank, residual, rms_norm, rotary, smoothed_cross_entropy, softmax,
};

const ON: Kernels = Kernels::Device;
const KEY: DropoutKey = DropoutKey { p: 0.3, seed: 1, stream: 2 };

fn var(dims: &[usize]) -> Var {
    Var::randn(0f32, 1., dims, &Device::Cpu).unwrap()
}

/// Checks that `operation` and its backward pass copy nothing, and that the gradient reaches every variable.
fn copies_nothing(name: &str, variables: &[&Var], operation: impl Fn() -> Result<Tensor>) {
    let before = Transfers::so_far();
    let gradients = operation().unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap();
    assert_eq!(Transfers::since(&before), Transfers::default(), "{name}");
    assert!(variables.iter().all(|variable| gradients.get(variable).is_some()), "{name}: a gradient is missing");
}

#[test]
fn no_operation_copies_between_host_and_device() {
    let before = Transfers::so_far();
    upload(vec![1f32], 1, &Device::Cpu).unwrap();
    assert_eq!(Transfers::since(&before).uploads, 1, "the counter counts");

    let (x, h, w, square) = (var(&[2, 3, 8]), var(&[2, 3, 8]), var(&[4, 8]), var(&[8, 8]));
    let (ones, more) = (var(&[8]), var(&[8]));
    let frozen = w.detach();
    let narrow = w.to_dtype(DType::BF16).unwrap().detach();
    copies_nothing("linear", &[&x, &w], || linear(&x, &w, ON));
    copies_nothing("linear, frozen", &[&x], || linear(&x, &frozen, ON));
    copies_nothing("linear, frozen in bf16", &[&x], || linear(&x, &narrow, ON));
    let (a, b) = (var(&[2, 8]), var(&[4, 2]));
    let branch = LowRank { a: &a, b: &b, scaling: 2., dropout: Some(KEY) };
    copies_nothing("linear_low_rank", &[&x, &a, &b], || linear_low_rank(&x, &frozen, &branch, ON));
    let out = frozen.t().unwrap();
    let network = FeedForward { w_in: &frozen, w_out: &out, dropout: Some(KEY) };
    copies_nothing("feed_forward", &[&x], || feed_forward(&x, &network, ON));
    copies_nothing("add_bias", &[&x, &ones], || add_bias(&x, &ones, ON));
    copies_nothing("residual", &[&h, &x], || residual(&h, &x, Some(KEY), ON));
    copies_nothing("dropout", &[&x], || dropout(&x, KEY, ON));
    copies_nothing("rms_norm", &[&x, &ones], || rms_norm(&x, &ones, 1e-6, ON));
    let norm = LayerNorm { gamma: &ones, beta: &more, eps: 1e-5 };
    copies_nothing("layer_norm", &[&x, &ones, &more], || layer_norm(&x, &norm, ON));
    copies_nothing("softmax", &[&x], || softmax(&x, ON));
    for activation in [Activation::Relu, Activation::GeluTanh, Activation::Gelu, Activation::Silu] {
        copies_nothing("activation", &[&x], || activation.forward(&x, ON));
        copies_nothing("gated", &[&h, &x], || gated(&h, &x, activation, ON));
    }
    let (down_bias, up) = (var(&[4]), var(&[8, 4]));
    let adapter = Bottleneck {
        down: &w,
        down_bias: &down_bias,
        activation: Activation::GeluTanh,
        up: &up,
        up_bias: &ones,
        norm: Some(norm),
        dropout: Some(KEY),
    };
    let of_adapter = [&h, &x, &w, &down_bias, &up, &ones, &more];
    copies_nothing("bottleneck", &of_adapter, || bottleneck(&h, &x, &adapter, ON));
    let (bias, mask) = (var(&[1, 2, 3, 3]), Tensor::zeros((2, 1, 1, 3), DType::F32, &Device::Cpu).unwrap());
    let options = Attention {
        heads: 2,
        key_value_heads: 2,
        scale: Some(0.5),
        bias: Some(&bias),
        mask: Some(&mask),
        dropout: Some(KEY),
    };
    copies_nothing("attention", &[&x, &h, &bias], || attention([&x, &h, &h], &options, ON));
    let angles = Tensor::ones((3, 2), DType::F32, &Device::Cpu).unwrap();
    let turn = Rotary { cos: &angles, sin: &angles, pairs: RotaryPairs::Halves, layout: RotaryLayout::LengthHeads };
    let heads = var(&[2, 3, 2, 4]);
    copies_nothing("rotary", &[&heads], || rotary(&heads, &turn, ON));
    let ids = Tensor::arange(0u32, 6, &Device::Cpu).unwrap().reshape((2, 3)).unwrap();
    copies_nothing("embedding", &[&square], || embedding(&ids, &square, ON));
    let (rows, labels) = (var(&[6, 8]), ids.flatten_all().unwrap());
    for reduction in [Reduction::Sum, Reduction::Mean] {
        let options = SmoothedCrossEntropy { label_smoothing: 0.1, ignore_index: 0, reduction };
        let tensors = [rows.as_tensor(), square.as_tensor(), &labels];
        copies_nothing("smoothed_cross_entropy", &[&rows, &square], || smoothed_cross_entropy(tensors, &options, ON));
    }
}
