//! A tiny T5, for readers that need to know the backbone.

use candle_core::Tensor;
use peft_t5::{T5, T5Config, preset};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The backbone: two layers of width 8.
pub static T5_TINY: LazyLock<T5> = LazyLock::new(|| {
    let shape = preset("t5-small").expect("a known shape");
    let shape = T5Config {
        vocab_size: 16,
        d_model: 8,
        d_kv: 4,
        d_ff: 8,
        num_heads: 2,
        num_layers: 2,
        num_decoder_layers: 2,
        ..shape
    };
    T5::random(&shape, 0).expect("a possible shape")
});

/// Its tensors by name.
pub static TENSORS: LazyLock<BTreeMap<String, Tensor>> =
    LazyLock::new(|| T5_TINY.tensors().expect("tensors of a model in memory"));
