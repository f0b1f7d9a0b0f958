//! Layers for other models next to the same from candle's own operations: `cargo bench -p peft-kernels --bench layers`.
//!
//! The shapes are BERT-base's: 8 sequences of 64 tokens, 768 features, 12 heads, a feed-forward network of 3072. Weights are frozen and
//! the input trains, as in parameter-efficient fine-tuning; one line trains the weight too. "plain" are the differentiable versions that
//! candle-nn has, or the usual composition.
#![allow(clippy::unwrap_used, reason = "a bench may stop")]

use std::fmt;

use candle_core::{D, DType, Device, Module, Result, Tensor, Var};
use candle_nn::{ops, rotary_emb};
use divan::{Bencher, black_box};
use peft_kernels::{Activation, Attention, Kernels, attention, gated, gelu, nn};

fn main() {
    divan::main();
}

const BATCH: usize = 8;
const LENGTH: usize = 64;
const WIDTH: usize = 768;
const HEADS: usize = 12;
const D_HEAD: usize = WIDTH / HEADS;
const INNER: usize = 3072;

/// A layer or operation.
#[derive(Clone, Copy, Debug)]
enum Measured {
    LayerNorm,
    RmsNorm,
    Linear,
    LinearTrained,
    Embedding,
    Softmax,
    Rotary,
    Attention,
    AttentionGrouped,
    Gelu,
    Gated,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

const LAYERS: [Measured; 11] = [
    Measured::LayerNorm,
    Measured::RmsNorm,
    Measured::Linear,
    Measured::LinearTrained,
    Measured::Embedding,
    Measured::Softmax,
    Measured::Rotary,
    Measured::Attention,
    Measured::AttentionGrouped,
    Measured::Gelu,
    Measured::Gated,
];

fn numbers(dims: &[usize]) -> Tensor {
    let numbers: Vec<f32> =
        (0..dims.iter().product::<usize>()).map(|i| ((i * 37 + 11) % 23) as f32 / 11. - 1.).collect();
    Tensor::from_vec(numbers, dims, &Device::Cpu).unwrap()
}

/// The tensors of a layer; the first ones are variables where it trains.
struct Tensors {
    trained: Vec<Var>,
    frozen: Vec<Tensor>,
}

impl Measured {
    fn tensors(self, train: bool) -> Tensors {
        let states = [BATCH, LENGTH, WIDTH];
        let inner = [BATCH, LENGTH, INNER];
        let weight = [INNER, WIDTH];
        let (trained, frozen): (Vec<Vec<usize>>, Vec<Vec<usize>>) = match self {
            Self::LayerNorm => (vec![states.into()], vec![vec![WIDTH], vec![WIDTH]]),
            Self::RmsNorm => (vec![states.into()], vec![vec![WIDTH]]),
            Self::Linear => (vec![states.into()], vec![weight.into(), vec![INNER]]),
            Self::LinearTrained => (vec![states.into(), weight.into(), vec![INNER]], vec![]),
            Self::Embedding => (vec![vec![30_522, WIDTH]], vec![]),
            Self::Softmax => (vec![vec![BATCH, HEADS, LENGTH, LENGTH]], vec![]),
            Self::Rotary => {
                (vec![vec![BATCH, HEADS, LENGTH, D_HEAD]], vec![vec![LENGTH, D_HEAD / 2], vec![LENGTH, D_HEAD / 2]])
            }
            Self::Attention => (vec![states.into(); 3], vec![vec![BATCH, 1, 1, LENGTH]]),
            Self::AttentionGrouped => {
                let keys = vec![BATCH, LENGTH, WIDTH / 4];
                (vec![states.into(), keys.clone(), keys], vec![vec![BATCH, 1, 1, LENGTH]])
            }
            Self::Gelu => (vec![inner.into()], vec![]),
            Self::Gated => (vec![inner.into(); 2], vec![]),
        };
        let mut frozen: Vec<Tensor> = frozen.iter().map(|dims| numbers(dims)).collect();
        let mut trained: Vec<Tensor> = trained.iter().map(|dims| numbers(dims)).collect();
        if !train {
            trained.append(&mut frozen);
            return Tensors { trained: vec![], frozen: trained };
        }
        Tensors { trained: trained.iter().map(|t| Var::from_tensor(t).unwrap()).collect(), frozen }
    }

    fn run(self, t: &[&Tensor], fused: bool) -> Result<Tensor> {
        if fused { self.ours(t) } else { self.plain(t) }
    }

    fn ours(self, t: &[&Tensor]) -> Result<Tensor> {
        let heads = |key_value_heads| Attention {
            heads: HEADS,
            key_value_heads,
            scale: Some(1. / (D_HEAD as f32).sqrt()),
            bias: None,
            mask: Some(t[3]),
            dropout: None,
        };
        match self {
            Self::LayerNorm => nn::ops::layer_norm(t[0], t[1], t[2], 1e-5),
            Self::RmsNorm => nn::ops::rms_norm(t[0], t[1], 1e-5),
            Self::Linear | Self::LinearTrained => nn::Linear::new(t[1].clone(), Some(t[2].clone())).forward(t[0]),
            Self::Embedding => nn::Embedding::new(t[0].clone(), WIDTH).forward(&ids()),
            Self::Softmax => nn::ops::softmax_last_dim(t[0]),
            Self::Rotary => nn::rotary_emb::rope(t[0], t[1], t[2]),
            Self::Attention => attention([t[0], t[1], t[2]], &heads(HEADS), Kernels::Fused),
            Self::AttentionGrouped => attention([t[0], t[1], t[2]], &heads(HEADS / 4), Kernels::Fused),
            Self::Gelu => gelu(t[0], Kernels::Fused),
            Self::Gated => gated(t[0], t[1], Activation::Silu, Kernels::Fused),
        }
    }

    fn plain(self, t: &[&Tensor]) -> Result<Tensor> {
        match self {
            Self::LayerNorm => ops::layer_norm_slow(t[0], t[1], t[2], 1e-5),
            Self::RmsNorm => ops::rms_norm_slow(t[0], t[1], 1e-5),
            Self::Linear | Self::LinearTrained => {
                candle_nn::Linear::new(t[1].clone(), Some(t[2].clone())).forward(t[0])
            }
            Self::Embedding => candle_nn::Embedding::new(t[0].clone(), WIDTH).forward(&ids()),
            Self::Softmax => ops::softmax(t[0], D::Minus1),
            Self::Rotary => rotary_emb::rope_slow(t[0], t[1], t[2]),
            Self::Attention => attention_plain(t, HEADS),
            Self::AttentionGrouped => attention_plain(t, HEADS / 4),
            Self::Gelu => t[0].gelu_erf(),
            Self::Gated => t[0].silu()? * t[1],
        }
    }
}

fn ids() -> Tensor {
    let ids = (0..(BATCH * LENGTH) as u32).map(|i| i * 7919 % 30_522);
    Tensor::from_iter(ids, &Device::Cpu).unwrap().reshape((BATCH, LENGTH)).unwrap().to_dtype(DType::U32).unwrap()
}

/// Attention as candle-transformers' models compute it, with a softmax that has a gradient.
fn attention_plain(t: &[&Tensor], key_value_heads: usize) -> Result<Tensor> {
    let split = |x: &Tensor, heads| x.reshape((BATCH, LENGTH, heads, D_HEAD))?.transpose(1, 2)?.contiguous();
    let keys = |x: &Tensor| {
        let x = split(x, key_value_heads)?;
        let group = HEADS / key_value_heads;
        if group == 1 {
            return Ok(x);
        }
        Tensor::cat(&vec![&x; group], 2)?.reshape((BATCH, HEADS, LENGTH, D_HEAD))
    };
    let scores = (split(t[0], HEADS)?.matmul(&keys(t[1])?.t()?)? / (D_HEAD as f64).sqrt())?;
    let probabilities = ops::softmax(&scores.broadcast_add(t[3])?, D::Minus1)?;
    probabilities.matmul(&keys(t[2])?)?.transpose(1, 2)?.reshape((BATCH, LENGTH, WIDTH))
}

fn measure(bencher: Bencher<'_, '_>, measured: Measured, fused: bool, train: bool) {
    let tensors = measured.tensors(train);
    let t: Vec<&Tensor> = tensors.trained.iter().map(Var::as_tensor).chain(&tensors.frozen).collect();
    bencher.bench_local(|| {
        let y = measured.run(black_box(&t), fused).unwrap();
        // Without a loss on top, candle begins with a gradient of ones: the time is the layer's own.
        train.then(|| y.backward().unwrap())
    });
}

#[divan::bench(args = LAYERS)]
fn forward_fused(bencher: Bencher<'_, '_>, measured: Measured) {
    measure(bencher, measured, true, false);
}

#[divan::bench(args = LAYERS)]
fn forward_plain(bencher: Bencher<'_, '_>, measured: Measured) {
    measure(bencher, measured, false, false);
}

#[divan::bench(args = LAYERS)]
fn with_backward_fused(bencher: Bencher<'_, '_>, measured: Measured) {
    measure(bencher, measured, true, true);
}

#[divan::bench(args = LAYERS)]
fn with_backward_plain(bencher: Bencher<'_, '_>, measured: Measured) {
    measure(bencher, measured, false, true);
}
