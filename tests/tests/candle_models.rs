//! The gradient check on models of candle-transformers, whose operations have no backward pass in candle-nn as published: it refuses
//! them and names the operations.
#![allow(clippy::unwrap_used, reason = "tests")]

use peft_core::gradients::GradientCheck;
use peft_core::gradients::probe::{Finding, operations};

#[path = "../examples/candle_families/families/mod.rs"]
mod families;

/// Checks the model `name` with all of its weights as variables.
fn refuses(name: &str, because_of: &[&str]) {
    let known = operations().unwrap();
    let has_gradients = |path: &&str| known.iter().any(|o| o.name == *path && o.finding == Finding::Right);
    for family in families::families().iter().filter(|family| family.name == name) {
        let (variables, loss) = family.open().unwrap();
        let result = GradientCheck::quick().run(&variables.vars(), loss).unwrap().into_result();
        // With a candle-nn that has the gradients (docs/candle-models.md), the model trains.
        if because_of.iter().all(has_gradients) {
            assert!(result.is_ok(), "{name}: {}", result.unwrap_err());
            continue;
        }
        let message = result.unwrap_err().to_string();
        assert!(message.contains("wrong: ") || message.contains("missing: "), "{name}: {message}");
        for operation in because_of {
            assert!(message.contains(operation), "{name}: {operation} is not in {message}");
        }
    }
}

#[test]
fn bert_is_refused() {
    refuses("bert", &["candle_nn::ops::layer_norm"]);
}

#[test]
fn llama_is_refused() {
    refuses("llama", &["candle_nn::ops::rms_norm", "candle_nn::rotary_emb::rope", "candle_nn::ops::softmax_last_dim"]);
}

#[test]
fn mistral_is_refused() {
    refuses(
        "mistral",
        &["candle_nn::ops::rms_norm", "candle_nn::rotary_emb::rope", "candle_nn::ops::softmax_last_dim"],
    );
}

#[test]
fn modernbert_is_refused() {
    refuses("modernbert", &["candle_nn::rotary_emb::rope", "candle_nn::ops::softmax_last_dim"]);
}
