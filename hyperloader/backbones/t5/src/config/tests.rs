#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::preset;
use proptest::prelude::*;

fn configs() -> impl Strategy<Value = T5Config> {
    let sizes = (8usize..500, 1usize..300, 1usize..64, 1usize..900, 1usize..9, 1usize..9, 1usize..9);
    let rest = (2usize..40, 0u16..1000, any::<bool>(), any::<bool>(), 0u32..8, 0u32..8, 0u32..8);
    (sizes, rest).prop_map(|((vocab_size, d_model, d_kv, d_ff, enc, dec, heads), rest)| {
        let (half_buckets, dropout, gated, tied, pad, eos, start) = rest;
        T5Config {
            vocab_size,
            d_model,
            d_kv,
            d_ff,
            num_layers: enc,
            num_decoder_layers: dec,
            num_heads: heads,
            relative_attention_num_buckets: 2 * half_buckets,
            relative_attention_max_distance: 128,
            dropout_rate: f64::from(dropout) / 1000.,
            layer_norm_epsilon: 1e-6,
            feed_forward_proj: if gated { FeedForwardProj::GatedGelu } else { FeedForwardProj::Relu },
            tie_word_embeddings: tied,
            pad_token_id: pad,
            eos_token_id: eos,
            decoder_start_token_id: start,
            cross_attention_bias: false,
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(config in configs()) {
        let json = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(serde_json::from_str::<T5Config>(&json).unwrap(), config);
    }
}

#[test]
fn the_written_file_says_what_transformers_asks_for() {
    let json = serde_json::to_value(preset("google/flan-t5-small").unwrap()).unwrap();
    assert_eq!(json["architectures"], serde_json::json!(["T5ForConditionalGeneration"]));
    assert_eq!(json["model_type"], "t5");
    assert_eq!(json["feed_forward_proj"], "gated-gelu");
    assert_eq!(json["is_encoder_decoder"], true);
    assert_eq!(json["tie_word_embeddings"], false);
    assert!(json.get("cross_attention_bias").is_none());
}

#[test]
fn values_that_cannot_work_are_refused_by_key() {
    let good = serde_json::to_value(preset("t5-small").unwrap()).unwrap();
    let bad = [
        ("model_type", serde_json::json!("umt5")),
        ("is_encoder_decoder", serde_json::json!(false)),
        ("feed_forward_proj", serde_json::json!("gated-silu")),
        ("num_heads", serde_json::json!(0)),
        ("d_ff", serde_json::json!(9_000_000)),
        ("num_layers", serde_json::json!(20_000)),
        ("vocab_size", serde_json::json!(20_000_000)),
        ("relative_attention_num_buckets", serde_json::json!(7)),
        ("relative_attention_max_distance", serde_json::json!(16)),
        ("dropout_rate", serde_json::json!(1.0)),
        ("eos_token_id", serde_json::json!(32128)),
    ];
    for (key, value) in bad {
        let mut json = good.clone();
        json[key] = value;
        let error = serde_json::from_value::<T5Config>(json).unwrap_err().to_string();
        assert!(error.starts_with(key), "{key}: {error}");
    }
    let mut json = good;
    json.as_object_mut().unwrap().remove("d_model");
    let error = serde_json::from_value::<T5Config>(json).unwrap_err().to_string();
    assert_eq!(error, "missing field `d_model`");
}

#[test]
fn the_default_is_the_smallest_published_shape() {
    assert_eq!(preset("t5-small"), Some(T5Config::default()));
}
