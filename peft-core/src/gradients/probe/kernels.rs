//! The operations of `peft-kernels`.

use candle_core::{Device, Result, Tensor};
use peft_kernels as ops;
use peft_kernels::{
    Activation, Attention, Bottleneck, DropoutKey, FeedForward, Kernels, LayerNorm, LowRank, Reduction, Rotary,
    RotaryLayout, RotaryPairs, SmoothedCrossEntropy,
};

use super::case::{Case, take};

const FUSED: Kernels = Kernels::Fused;
const EPS: f64 = 1e-5;
const DROPOUT: Option<DropoutKey> = Some(DropoutKey { p: 0.3, seed: 1, stream: 2 });

/// A matrix that is frozen, which selects the fused operations for frozen weights.
fn frozen(d_out: usize, d_in: usize) -> Result<Tensor> {
    let values: Vec<f32> = (0..d_out * d_in).map(|i| (0.7 * i as f32).sin()).collect();
    Tensor::from_vec(values, (d_out, d_in), &Device::Cpu)
}

/// The operations that have a backward pass, fused.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "peft_kernels::linear",
        shapes: &[&[2, 3, 4], &[5, 4]],
        run: |arguments| take(arguments).and_then(|[x, w]| ops::linear(x, w, FUSED)),
    },
    Case {
        name: "peft_kernels::linear (frozen weight)",
        shapes: &[&[2, 3, 4]],
        run: |arguments| take(arguments).and_then(|[x]| ops::linear(x, &frozen(5, 4)?, FUSED)),
    },
    Case {
        name: "peft_kernels::linear_low_rank",
        shapes: &[&[2, 3, 4], &[2, 4], &[5, 2]],
        run: |arguments| {
            let [x, a, b] = take(arguments)?;
            ops::linear_low_rank(x, &frozen(5, 4)?, &LowRank { a, b, scaling: 2., dropout: DROPOUT }, FUSED)
        },
    },
    Case {
        name: "peft_kernels::feed_forward",
        shapes: &[&[2, 3, 4]],
        run: |arguments| {
            let ([x], w_in, w_out) = (take(arguments)?, frozen(6, 4)?, frozen(4, 6)?);
            ops::feed_forward(x, &FeedForward { w_in: &w_in, w_out: &w_out, dropout: DROPOUT }, FUSED)
        },
    },
    Case {
        name: "peft_kernels::add_bias",
        shapes: &[&[2, 3, 4], &[4]],
        run: |arguments| take(arguments).and_then(|[x, b]| ops::add_bias(x, b, FUSED)),
    },
    Case {
        name: "peft_kernels::gated",
        shapes: &[&[2, 5], &[2, 5]],
        run: |arguments| take(arguments).and_then(|[gate, up]| ops::gated(gate, up, Activation::Silu, FUSED)),
    },
    Case {
        name: "peft_kernels::attention",
        shapes: &[&[2, 3, 8], &[2, 4, 4], &[2, 4, 4], &[1, 4, 3, 4]],
        run: |arguments| {
            let [q, k, v, bias] = take(arguments)?;
            let (heads, key_value_heads, scale) = (4, 2, Some(0.7));
            let options = Attention { heads, key_value_heads, scale, bias: Some(bias), mask: None, dropout: DROPOUT };
            ops::attention([q, k, v], &options, FUSED)
        },
    },
    Case {
        name: "peft_kernels::rotary",
        shapes: &[&[2, 3, 2, 4]],
        run: |arguments| {
            let ([x], angles) = (take(arguments)?, frozen(3, 2)?);
            let (cos, sin) = (angles.cos()?, angles.sin()?);
            let (pairs, layout) = (RotaryPairs::Halves, RotaryLayout::LengthHeads);
            ops::rotary(x, &Rotary { cos: &cos, sin: &sin, pairs, layout }, FUSED)
        },
    },
    Case {
        name: "peft_kernels::bottleneck",
        shapes: &[&[2, 3, 4], &[2, 3, 4], &[2, 4], &[2], &[4, 2], &[4], &[4], &[4]],
        run: |arguments| {
            let [h, y, down, down_bias, up, up_bias, gamma, beta] = take(arguments)?;
            let (norm, activation) = (Some(LayerNorm { gamma, beta, eps: EPS }), Activation::GeluTanh);
            let adapter = Bottleneck { down, down_bias, activation, up, up_bias, norm, dropout: DROPOUT };
            ops::bottleneck(h, y, &adapter, FUSED)
        },
    },
    Case {
        name: "peft_kernels::residual",
        shapes: &[&[2, 5], &[2, 5]],
        run: |arguments| take(arguments).and_then(|[h, y]| ops::residual(h, y, DROPOUT, FUSED)),
    },
    Case {
        name: "peft_kernels::layer_norm",
        shapes: &[&[2, 3, 5], &[5], &[5]],
        run: |arguments| {
            let [x, gamma, beta] = take(arguments)?;
            ops::layer_norm(x, &LayerNorm { gamma, beta, eps: EPS }, FUSED)
        },
    },
    Case {
        name: "peft_kernels::rms_norm",
        shapes: &[&[2, 3, 5], &[5]],
        run: |arguments| take(arguments).and_then(|[x, w]| ops::rms_norm(x, w, EPS, FUSED)),
    },
    Case {
        name: "peft_kernels::softmax",
        shapes: &[&[2, 3, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::softmax(x, FUSED)),
    },
    Case {
        name: "peft_kernels::relu",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::relu(x, FUSED)),
    },
    Case {
        name: "peft_kernels::silu",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::silu(x, FUSED)),
    },
    Case {
        name: "peft_kernels::gelu",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::gelu(x, FUSED)),
    },
    Case {
        name: "peft_kernels::gelu_tanh",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::gelu_tanh(x, FUSED)),
    },
    Case {
        name: "peft_kernels::dropout",
        shapes: &[&[4, 5]],
        run: |arguments| {
            let [x] = take(arguments)?;
            ops::dropout(x, DropoutKey { p: 0.3, seed: 1, stream: 2 }, FUSED)
        },
    },
    Case {
        name: "peft_kernels::embedding",
        shapes: &[&[5, 3]],
        run: |arguments| {
            let [table] = take(arguments)?;
            ops::embedding(&Tensor::new(&[[4u32, 0, 4], [1, 2, 3]], &Device::Cpu)?, table, FUSED)
        },
    },
    Case {
        name: "peft_kernels::smoothed_cross_entropy",
        shapes: &[&[3, 4], &[5, 4]],
        run: |arguments| {
            let [hidden, weight] = take(arguments)?;
            let labels = Tensor::new(&[2u32, 0, 4], &Device::Cpu)?;
            let options = SmoothedCrossEntropy { label_smoothing: 0.1, reduction: Reduction::Mean, ignore_index: 0 };
            ops::smoothed_cross_entropy([hidden, weight, &labels], &options, FUSED)
        },
    },
];
