//! Rotary embeddings, attention, key-value caches and recurrent layers of candle-nn.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::attention::{AttnMask, flash_attn, flash_attn_varlen_cpu, flash_attn_varlen_unfused};
use candle_nn::kv_cache::{ConcatKvCache, KvCache, RotatingKvCache, ScatteredCacheBuilder};
use candle_nn::rnn::{GRU, GRUConfig, LSTM, LSTMConfig, RNN};
use candle_nn::{VarBuilder, rotary_emb};

use super::case::{Case, take};

/// Cosines and sines for 3 positions of 4 features.
fn angles() -> Result<[Tensor; 2]> {
    let angles = Tensor::new(&[[0f32, 0.], [1., 0.1], [2., 0.2]], &Device::Cpu)?;
    Ok([angles.cos()?, angles.sin()?])
}

/// Attention of candle-nn over queries, keys and values `[batch, length, heads, features]`.
fn flash(arguments: &[Tensor], mask: AttnMask) -> Result<Tensor> {
    let [q, k, v] = take(arguments)?;
    flash_attn::<f32>(q, k, v, 0.5, mask, None, None)
}

/// The lengths of two sequences of 3 tokens together.
fn lengths() -> Result<Tensor> {
    Tensor::new(&[2u32, 1], &Device::Cpu)
}

/// Keys plus squared values, so that both show.
fn both((k, v): (Tensor, Tensor)) -> Result<Tensor> {
    k + v.sqr()?
}

/// A builder of a recurrent layer of 2 features in and out with the given matrices.
fn recurrent(arguments: &[Tensor]) -> Result<(&Tensor, VarBuilder<'static>)> {
    let [x, w_ih, w_hh] = take(arguments)?;
    let bias = || w_ih.sum(1);
    let weights = HashMap::from([
        ("weight_ih_l0".to_owned(), w_ih.clone()),
        ("weight_hh_l0".to_owned(), w_hh.clone()),
        ("bias_ih_l0".to_owned(), bias()?),
        ("bias_hh_l0".to_owned(), bias()?),
    ]);
    Ok((x, VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu)))
}

/// What the other tokens of a sequence need.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "candle_nn::rotary_emb::rope",
        shapes: &[&[2, 2, 3, 4]],
        run: |arguments| {
            let ([x], [cos, sin]) = (take(arguments)?, angles()?);
            rotary_emb::rope(x, &cos, &sin)
        },
    },
    Case {
        name: "candle_nn::rotary_emb::rope_i",
        shapes: &[&[2, 2, 3, 4]],
        run: |arguments| {
            let ([x], [cos, sin]) = (take(arguments)?, angles()?);
            rotary_emb::rope_i(x, &cos, &sin)
        },
    },
    Case {
        name: "candle_nn::rotary_emb::rope_thd",
        shapes: &[&[2, 3, 2, 4]],
        run: |arguments| {
            let ([x], [cos, sin]) = (take(arguments)?, angles()?);
            rotary_emb::rope_thd(x, &cos, &sin)
        },
    },
    Case {
        name: "candle_nn::rotary_emb::rope_slow",
        shapes: &[&[2, 2, 3, 4]],
        run: |arguments| {
            let ([x], [cos, sin]) = (take(arguments)?, angles()?);
            rotary_emb::rope_slow(x, &cos, &sin)
        },
    },
    Case {
        name: "candle_nn::rotary_emb::rope_i_slow",
        shapes: &[&[2, 2, 3, 4]],
        run: |arguments| {
            let ([x], [cos, sin]) = (take(arguments)?, angles()?);
            rotary_emb::rope_i_slow(x, &cos, &sin)
        },
    },
    Case {
        name: "candle_nn::attention::flash_attn (one sequence)",
        shapes: &[&[1, 3, 2, 4], &[1, 3, 2, 4], &[1, 3, 2, 4]],
        run: |arguments| flash(arguments, AttnMask::None),
    },
    Case {
        name: "candle_nn::attention::flash_attn (one sequence, causal)",
        shapes: &[&[1, 3, 2, 4], &[1, 3, 2, 4], &[1, 3, 2, 4]],
        run: |arguments| flash(arguments, AttnMask::causal()),
    },
    Case {
        name: "candle_nn::attention::flash_attn (several sequences, causal)",
        shapes: &[&[2, 3, 2, 4], &[2, 3, 2, 4], &[2, 3, 2, 4]],
        run: |arguments| flash(arguments, AttnMask::causal()),
    },
    Case {
        name: "candle_nn::attention::flash_attn_varlen_cpu",
        shapes: &[&[3, 2, 4], &[3, 2, 4], &[3, 2, 4]],
        run: |arguments| {
            let ([q, k, v], lengths) = (take(arguments)?, lengths()?);
            flash_attn_varlen_cpu(q, k, v, None, &lengths, &lengths, 2, 2, 0.5, false, None, None)
        },
    },
    Case {
        name: "candle_nn::attention::flash_attn_varlen_unfused",
        shapes: &[&[3, 2, 4], &[3, 2, 4], &[3, 2, 4]],
        run: |arguments| {
            let ([q, k, v], lengths) = (take(arguments)?, lengths()?);
            flash_attn_varlen_unfused(q, k, v, None, &lengths, &lengths, 2, 2, 0.5, false, None, None)
        },
    },
    Case {
        name: "candle_nn::kv_cache::KvCache",
        shapes: &[&[1, 2, 3, 4], &[1, 2, 3, 4]],
        run: |arguments| take(arguments).and_then(|[k, v]| both(KvCache::new(2, 8).append(k, v)?)),
    },
    Case {
        name: "candle_nn::kv_cache::RotatingKvCache",
        shapes: &[&[1, 2, 3, 4], &[1, 2, 3, 4]],
        run: |arguments| take(arguments).and_then(|[k, v]| both(RotatingKvCache::new(2, 8).append(k, v)?)),
    },
    Case {
        name: "candle_nn::kv_cache::ConcatKvCache",
        shapes: &[&[1, 2, 3, 4], &[1, 2, 3, 4]],
        run: |arguments| take(arguments).and_then(|[k, v]| both(ConcatKvCache::new(2).append(k, v)?)),
    },
    Case {
        name: "candle_nn::kv_cache::ScatteredKvCache",
        shapes: &[&[1, 2, 3, 4], &[1, 2, 3, 4]],
        run: |arguments| {
            let [k, v] = take(arguments)?;
            let mut builder = ScatteredCacheBuilder::new(1, 8, DType::F32, &Device::Cpu)?;
            let mut cache = builder.make_cache(2, 4)?;
            both(cache.append(k, v, &builder.indices_and_mask(3, &[true])?)?)
        },
    },
    Case {
        name: "candle_nn::LSTM",
        shapes: &[&[2, 3, 2], &[8, 2], &[8, 2]],
        run: |arguments| {
            let (x, vb) = recurrent(arguments)?;
            let lstm = LSTM::new(2, 2, LSTMConfig::default(), vb)?;
            lstm.states_to_tensor(&lstm.seq(x)?)
        },
    },
    Case {
        name: "candle_nn::GRU",
        shapes: &[&[2, 3, 2], &[6, 2], &[6, 2]],
        run: |arguments| {
            let (x, vb) = recurrent(arguments)?;
            let gru = GRU::new(2, 2, GRUConfig::default(), vb)?;
            gru.states_to_tensor(&gru.seq(x)?)
        },
    },
];
