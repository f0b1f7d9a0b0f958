//! Normalization, softmax, activations and losses of candle-nn.

use candle_core::{DType, Device, Module, ModuleT, Result, Tensor};
use candle_nn::{BatchNorm, Embedding, GroupNorm, LayerNorm, Linear, PReLU, RmsNorm, loss, ops};

use super::case::{Case, take};

const EPS: f64 = 1e-5;

/// Positive numbers, for example as the scale of a norm: tensors that are no variables.
fn ones(n: usize) -> Result<Tensor> {
    Tensor::ones(n, DType::F32, &Device::Cpu)
}

fn classes() -> Result<Tensor> {
    Tensor::new(&[2u32, 0], &Device::Cpu)
}

/// Candle-nn's functions and layers.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "candle_nn::ops::layer_norm",
        shapes: &[&[2, 3, 5], &[5], &[5]],
        run: |arguments| {
            let [x, weight, bias] = take(arguments)?;
            ops::layer_norm(x, weight, bias, EPS as f32)
        },
    },
    Case {
        name: "candle_nn::LayerNorm",
        shapes: &[&[2, 3, 5], &[5], &[5]],
        run: |arguments| {
            let [x, weight, bias] = take(arguments)?;
            LayerNorm::new(weight.clone(), bias.clone(), EPS).forward(x)
        },
    },
    Case {
        name: "candle_nn::LayerNorm without a bias",
        shapes: &[&[2, 3, 5], &[5]],
        run: |arguments| {
            let [x, weight] = take(arguments)?;
            LayerNorm::new_no_bias(weight.clone(), EPS).forward(x)
        },
    },
    Case {
        name: "candle_nn::ops::rms_norm",
        shapes: &[&[2, 3, 5], &[5]],
        run: |arguments| {
            let [x, weight] = take(arguments)?;
            ops::rms_norm(x, weight, EPS as f32)
        },
    },
    Case {
        name: "candle_nn::RmsNorm",
        shapes: &[&[2, 3, 5], &[5]],
        run: |arguments| {
            let [x, weight] = take(arguments)?;
            RmsNorm::new(weight.clone(), EPS).forward(x)
        },
    },
    Case {
        name: "candle_nn::GroupNorm",
        shapes: &[&[2, 4, 3], &[4], &[4]],
        run: |arguments| {
            let [x, weight, bias] = take(arguments)?;
            GroupNorm::new(weight.clone(), bias.clone(), 4, 2, EPS)?.forward(x)
        },
    },
    Case {
        name: "candle_nn::BatchNorm in evaluation",
        shapes: &[&[2, 4, 3], &[4], &[4]],
        run: |arguments| {
            let [x, weight, bias] = take(arguments)?;
            let (mean, variance) = (ones(4)?.affine(0., 0.2)?, ones(4)?);
            BatchNorm::new(4, mean, variance, weight.clone(), bias.clone(), EPS)?.forward_t(x, false)
        },
    },
    Case {
        name: "candle_nn::ops::softmax_last_dim",
        shapes: &[&[2, 3, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::softmax_last_dim(x)),
    },
    Case {
        name: "candle_nn::ops::softmax",
        shapes: &[&[2, 3, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::softmax(x, 1)),
    },
    Case {
        name: "candle_nn::ops::log_softmax",
        shapes: &[&[2, 3, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::log_softmax(x, 1)),
    },
    Case {
        name: "candle_nn::ops::silu",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::silu(x)),
    },
    Case {
        name: "candle_nn::ops::swiglu",
        shapes: &[&[2, 6]],
        run: |arguments| take(arguments).and_then(|[x]| ops::swiglu(x)),
    },
    Case {
        name: "candle_nn::ops::sigmoid",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::sigmoid(x)),
    },
    Case {
        name: "candle_nn::ops::hard_sigmoid",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::hard_sigmoid(x)),
    },
    Case {
        name: "candle_nn::ops::mish",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::mish(x)),
    },
    Case {
        name: "candle_nn::ops::leaky_relu",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::leaky_relu(x, 0.1)),
    },
    Case {
        name: "candle_nn::ops::selu",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| ops::selu(x, 1.67, 1.05)),
    },
    Case {
        name: "candle_nn::PReLU",
        shapes: &[&[2, 5], &[1]],
        run: |arguments| {
            let [x, weight] = take(arguments)?;
            PReLU::new(weight.clone(), true).forward(x)
        },
    },
    Case {
        name: "candle_core::Tensor::gelu",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| x.gelu()),
    },
    Case {
        name: "candle_core::Tensor::gelu_erf",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| x.gelu_erf()),
    },
    Case {
        name: "candle_core::Tensor::relu",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| x.relu()),
    },
    Case {
        name: "candle_core::Tensor::elu",
        shapes: &[&[2, 5]],
        run: |arguments| take(arguments).and_then(|[x]| x.elu(0.7)),
    },
    Case {
        name: "candle_nn::Linear",
        shapes: &[&[2, 3, 4], &[5, 4], &[5]],
        run: |arguments| {
            let [x, weight, bias] = take(arguments)?;
            Linear::new(weight.clone(), Some(bias.clone())).forward(x)
        },
    },
    Case {
        name: "candle_nn::Embedding",
        shapes: &[&[5, 3]],
        run: |arguments| {
            let [table] = take(arguments)?;
            Embedding::new(table.clone(), 3).forward(&Tensor::new(&[[4u32, 0, 4], [1, 2, 3]], &Device::Cpu)?)
        },
    },
    Case {
        name: "candle_nn::loss::cross_entropy",
        shapes: &[&[2, 3]],
        run: |arguments| take(arguments).and_then(|[x]| loss::cross_entropy(x, &classes()?)),
    },
    Case {
        name: "candle_nn::loss::mse",
        shapes: &[&[2, 3], &[2, 3]],
        run: |arguments| take(arguments).and_then(|[x, y]| loss::mse(x, y)),
    },
    Case {
        name: "candle_nn::loss::huber",
        shapes: &[&[2, 3], &[2, 3]],
        run: |arguments| take(arguments).and_then(|[x, y]| loss::huber(x, y, 0.5)),
    },
    Case {
        name: "candle_nn::loss::binary_cross_entropy_with_logit",
        shapes: &[&[2, 3]],
        run: |arguments| {
            let [x] = take(arguments)?;
            loss::binary_cross_entropy_with_logit(x, &Tensor::new(&[[1f32, 0., 1.], [0., 0., 1.]], &Device::Cpu)?)
        },
    },
];
