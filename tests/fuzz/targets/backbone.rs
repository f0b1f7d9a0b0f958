//! A T5's folder: `config.json`, and a safetensors file that is mapped into memory, or an index of several.
#![no_main]

use arbitrary::Arbitrary;
use candle_core::Device;
use hyperloader_fuzz::limits::bounded;
use hyperloader_fuzz::scratch;
use hyperloader_fuzz::tensors::File;
use peft_t5::T5;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    config: Config<'a>,
    weights: File,
    index: Option<&'a str>,
}

#[derive(Arbitrary, Debug)]
enum Config<'a> {
    Any(&'a str),
    Sizes { sizes: [u8; 7], large: Option<(u8, u64)>, feed_forward: u8, more: Option<(&'a str, i64)> },
}

impl Config<'_> {
    fn text(&self) -> String {
        let (sizes, large, feed_forward, more) = match self {
            Self::Any(text) => return (*text).to_owned(),
            Self::Sizes { sizes, large, feed_forward, more } => (sizes, large, feed_forward, more),
        };
        let names = ["vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads"];
        let kind = ["relu", "gated-gelu", "silu"][usize::from(feed_forward % 3)];
        let mut config = serde_json::json!({"feed_forward_proj": kind});
        for (name, size) in names.into_iter().zip(sizes) {
            config[name] = (*size).into();
        }
        if let Some((name, size)) = large {
            config[names[usize::from(*name) % names.len()]] = (*size).into();
        }
        if let Some((name, value)) = more {
            config[*name] = (*value).into();
        }
        config.to_string()
    }
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let (config, weights) = (input.config.text(), input.weights.bytes());
    let folder = scratch::folder();
    scratch::put(&folder, "config.json", config.as_bytes());
    match input.index {
        None => scratch::put(&folder, "model.safetensors", &weights),
        Some(index) => {
            scratch::put(&folder, "model.safetensors.index.json", index.as_bytes());
            scratch::put(&folder, "1", &weights);
        }
    }
    let _ = bounded(config.len() + weights.len(), || T5::from_folder(folder.path(), &Device::Cpu));
});
