//! Small models of configuration files.

use candle_core::{DType, Device};
use hyperloader::config::Config;
use peft_core::{ParamStore, PeftModel, PeftParts, Tasks};
use peft_t5::{T5, T5Config, Weights, preset};

pub(crate) fn shape(d_model: usize, vocab_size: usize) -> T5Config {
    T5Config {
        vocab_size,
        d_model,
        d_kv: d_model / 4,
        d_ff: 24,
        num_heads: 4,
        num_layers: 2,
        num_decoder_layers: 2,
        ..preset("t5-small").expect("a built-in shape")
    }
}

/// The model of a configuration, for the tasks "one" and "two".
pub(crate) fn model(text: &str, shape: &T5Config, seed: u64) -> PeftModel<T5> {
    let config = Config::from_toml(text).unwrap_or_else(|e| panic!("{text}{e}"));
    let store = ParamStore::new(seed, &Device::Cpu);
    let parts = PeftParts { methods: config.peft, generator: config.generator, tasks: Tasks::new(["one", "two"]) };
    let weights = Weights::random(1).trainable(config.model.trainable, &store).var_builder(DType::F32, &Device::Cpu);
    PeftModel::new(T5::new(shape, weights).unwrap(), parts, &store, store.var_builder()).unwrap()
}
