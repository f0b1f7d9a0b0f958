//! The published shapes, by the names that the models have on the Hugging Face hub.

use super::config::{FeedForwardProj, T5Config};

/// A name with `d_model`, `d_kv`, `d_ff`, the blocks of each stack, and the heads; whatever is not here is common to all.
type Shape = (&'static str, [usize; 5]);

/// Version 1.0: ReLU, output tied to the embedding.
const V1_0: [Shape; 5] = [
    ("t5-small", [512, 64, 2048, 6, 8]),
    ("t5-base", [768, 64, 3072, 12, 12]),
    ("t5-large", [1024, 64, 4096, 24, 16]),
    ("t5-3b", [1024, 128, 16384, 24, 32]),
    ("t5-11b", [1024, 128, 65536, 24, 128]),
];

/// Version 1.1 and Flan: gated GELU, an output projection of its own.
const V1_1: [Shape; 10] = [
    ("google/t5-v1_1-small", [512, 64, 1024, 8, 6]),
    ("google/t5-v1_1-base", [768, 64, 2048, 12, 12]),
    ("google/t5-v1_1-large", [1024, 64, 2816, 24, 16]),
    ("google/t5-v1_1-xl", [2048, 64, 5120, 24, 32]),
    ("google/t5-v1_1-xxl", [4096, 64, 10240, 24, 64]),
    ("google/flan-t5-small", [512, 64, 1024, 8, 6]),
    ("google/flan-t5-base", [768, 64, 2048, 12, 12]),
    ("google/flan-t5-large", [1024, 64, 2816, 24, 16]),
    ("google/flan-t5-xl", [2048, 64, 5120, 24, 32]),
    ("google/flan-t5-xxl", [4096, 64, 10240, 24, 64]),
];

/// The shape of the model called `name`, if it is one of [`preset_names`].
///
/// ```
/// let base = peft_t5::preset("t5-base").map(|config| (config.d_model, config.num_heads));
/// assert_eq!(base, Some((768, 12)));
/// ```
pub fn preset(name: &str) -> Option<T5Config> {
    let find = |table: &'static [Shape]| table.iter().find(|(known, _)| *known == name);
    let tied = find(&V1_0).map(|(_, sizes)| config(*sizes, FeedForwardProj::Relu, true));
    tied.or_else(|| find(&V1_1).map(|(_, sizes)| config(*sizes, FeedForwardProj::GatedGelu, false)))
}

/// The names that [`preset`] knows.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    V1_0.iter().chain(&V1_1).map(|(name, _)| *name)
}

fn config(sizes: [usize; 5], feed_forward_proj: FeedForwardProj, tie_word_embeddings: bool) -> T5Config {
    let [d_model, d_kv, d_ff, num_layers, num_heads] = sizes;
    let num_decoder_layers = num_layers;
    T5Config {
        d_model,
        d_kv,
        d_ff,
        num_layers,
        num_decoder_layers,
        num_heads,
        feed_forward_proj,
        tie_word_embeddings,
        ..T5Config::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{T5, Weights};
    use candle_core::{DType, Device};

    /// The parameter counts that `transformers` reports for the published checkpoints.
    const PUBLISHED: [(&str, usize); 10] = [
        ("t5-small", 60_506_624),
        ("t5-base", 222_903_552),
        ("t5-large", 737_668_096),
        ("t5-3b", 2_851_598_336),
        ("t5-11b", 11_307_321_344),
        ("google/flan-t5-small", 76_961_152),
        ("google/flan-t5-base", 247_577_856),
        ("google/flan-t5-large", 783_150_080),
        ("google/flan-t5-xl", 2_849_757_184),
        ("google/flan-t5-xxl", 11_135_332_352),
    ];

    #[test]
    fn presets_have_the_published_numbers_of_parameters() {
        for (name, expected) in PUBLISHED {
            let vb = Weights::shapes_only().var_builder(DType::F32, &Device::Cpu);
            let t5 = T5::new(&preset(name).unwrap(), vb).unwrap();
            let elements: usize = t5.tensors().unwrap().values().map(|t| t.elem_count()).sum();
            assert_eq!(elements, expected, "{name}");
        }
    }

    #[test]
    fn every_name_has_a_preset_and_no_other() {
        assert_eq!(preset_names().filter_map(preset).count(), 15);
        assert_eq!(preset("t5-tiny"), None);
    }
}
