//! The keys of `config.json` as Hugging Face writes it, which are not all those of [`LlamaConfig`](crate::LlamaConfig).

use serde_json::{Map, Value, json};

/// The `model_type` of a model without a window.
pub(crate) const LLAMA: &str = "llama";
/// The `model_type` of a model with one.
pub(crate) const MISTRAL: &str = "mistral";
/// The only activation.
pub(crate) const SILU: &str = "silu";

/// The keys with the values that `transformers` gives to those that are missing.
///
/// # Errors
/// The key with a value that this implementation does not have.
pub(crate) fn with_defaults(mut keys: Map<String, Value>) -> Result<Map<String, Value>, String> {
    // Version 5 of `transformers` has both keys in one object.
    if let Some(Value::Object(rope)) = keys.remove("rope_parameters") {
        let theta = rope.get("rope_theta").map(|theta| ("rope_theta".to_owned(), theta.clone()));
        keys.extend(theta.into_iter().chain([("rope_scaling".to_owned(), Value::Object(rope))]));
    }
    if let Some(Value::Object(rope)) = keys.get_mut("rope_scaling") {
        // The older name.
        if let Some(kind) = rope.get("type").cloned() {
            rope.entry("rope_type").or_insert(kind);
        }
        check("rope_scaling: rope_type", rope.get("rope_type"), &[json!("default"), json!("llama3")])?;
    }
    check("model_type", keys.get("model_type"), &[json!(LLAMA), json!(MISTRAL)])?;
    check("hidden_act", keys.get("hidden_act"), &[json!(SILU)])?;
    check("attention_bias", keys.get("attention_bias"), &[json!(false)])?;
    check("mlp_bias", keys.get("mlp_bias"), &[json!(false)])?;
    if keys.get("model_type") == Some(&json!(MISTRAL)) {
        keys.entry("sliding_window").or_insert(json!(4096));
    } else {
        keys.remove("sliding_window");
    }
    if let Some(end @ Value::Number(_)) = keys.get_mut("eos_token_id") {
        *end = json!([end]);
    }
    let number = |key: &str| keys.get(key).and_then(Value::as_u64);
    let heads = number("num_attention_heads");
    let head_dim = heads.zip(number("hidden_size")).map(|(heads, hidden)| hidden / heads.max(1));
    keys.retain(|_, value| !value.is_null());
    for (key, default) in [
        ("num_key_value_heads", json!(heads)),
        ("head_dim", json!(head_dim)),
        ("max_position_embeddings", json!(2048)),
        ("rms_norm_eps", json!(1e-6)),
        ("rope_theta", json!(1e4)),
        ("attention_dropout", json!(0.)),
        ("tie_word_embeddings", json!(false)),
        ("eos_token_id", json!([])),
    ] {
        // Without a number of heads, that is what is missing.
        if !default.is_null() {
            keys.entry(key).or_insert(default);
        }
    }
    Ok(keys)
}

fn check(key: &str, found: Option<&Value>, known: &[Value]) -> Result<(), String> {
    match found.filter(|found| !found.is_null() && !known.contains(found)) {
        None => Ok(()),
        Some(found) => {
            let known: Vec<String> = known.iter().map(Value::to_string).collect();
            Err(format!("{key}: {found} is not supported, expected {}", known.join(" or ")))
        }
    }
}
