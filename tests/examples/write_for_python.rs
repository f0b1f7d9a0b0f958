//! Writes one adapter folder for each exportable method, for `tests/python/round_trip.py` to load with Python's libraries:
//! a small T5 of random weights, random adapters, inputs and the logits that we compute.
//!
//! `cargo run --release -p peft-tests --example write_for_python -- DIR`
#![allow(clippy::unwrap_used, clippy::panic, reason = "a tool for developers fails by panicking")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use peft_adapter::files::{AdapterHubOptions, BaseModel, write_adapterhub, write_peft};
use peft_core::rng::{Stream, stream_of};
use peft_core::{
    ActiveAdapters, AdapterCheckpoint, Condition, Ctx, GeneratorConfig, ParamStore, PeftConfig, Plan, StaticConfig,
    Tasks,
};
use peft_t5::{T5, T5Config, Weights, preset, save_backbone};

/// A name, the library, and the methods.
const CASES: &[(&str, &str, &str)] = &[
    ("lora", "peft", r#"[{"peft_type": "LORA", "r": 4, "lora_alpha": 6}]"#),
    ("rslora", "peft", r#"[{"peft_type": "LORA", "r": 4, "lora_alpha": 6, "use_rslora": true}]"#),
    ("dora", "peft", r#"[{"peft_type": "LORA", "r": 4, "lora_alpha": 6, "use_dora": true}]"#),
    (
        "lora_all_linear",
        "peft",
        r#"[{"peft_type": "LORA", "r": 2, "target_modules": ["q", "k", "v", "o", "wi", "wo"]}]"#,
    ),
    (
        "lora_patterns",
        "peft",
        r#"[{"peft_type": "LORA", "r": 4, "target_modules": ".*\\.(q|wo)", "rank_pattern": {"wo": 2}, "alpha_pattern": {"q": 5.0}}]"#,
    ),
    ("lora_layer_norms_saved", "peft", r#"[{"peft_type": "LORA", "r": 2, "modules_to_save": ["layer_norm"]}]"#),
    ("ia3", "peft", r#"[{"peft_type": "IA3"}]"#),
    ("prompt_tuning", "peft", r#"[{"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 5}]"#),
    ("prefix_tuning", "peft", r#"[{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3}]"#),
    (
        "double_seq_bn",
        "adapterhub",
        r#"[{"peft_type": "BOTTLENECK", "reduction_factor": 4, "non_linearity": "swish", "ln_after": false}]"#,
    ),
    (
        "hyperloader_task",
        "adapterhub",
        r#"[{"peft_type": "LORA", "r": 8, "lora_alpha": 8}, {"peft_type": "BOTTLENECK", "reduction_factor": 4}]"#,
    ),
    ("lora_adapterhub", "adapterhub", r#"[{"peft_type": "LORA", "r": 4, "lora_alpha": 6}]"#),
    (
        "ia3_adapterhub",
        "adapterhub",
        r#"[{"peft_type": "IA3", "target_modules": ["k", "v", "wi"], "feedforward_modules": []}]"#,
    ),
    ("prefix_adapterhub", "adapterhub", r#"[{"peft_type": "PREFIX", "prefix_length": 3, "flat": true}]"#),
    (
        "mam",
        "adapterhub",
        r#"[{"peft_type": "MAM", "prefix_tuning": {"prefix_length": 3, "bottleneck_size": 6}, "adapter": {"reduction_factor": 4}}]"#,
    ),
    (
        "unipelt",
        "adapterhub",
        r#"[{"peft_type": "UNIPELT", "prefix_tuning": {"prefix_length": 3, "bottleneck_size": 6}, "adapter": {"reduction_factor": 4}, "lora": {"r": 2, "lora_alpha": 2}}]"#,
    ),
];

fn main() {
    let root = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| panic!("give a folder to write to")));
    let shape = T5Config {
        vocab_size: 120,
        d_model: 32,
        d_kv: 8,
        num_heads: 4,
        d_ff: 64,
        num_layers: 2,
        num_decoder_layers: 2,
        ..preset("t5-small").unwrap()
    };
    let t5 = T5::new(&shape, Weights::random(3).var_builder(DType::F32, &Device::Cpu)).unwrap();
    save_backbone(&t5, root.join("base")).unwrap();
    for (name, library, methods) in CASES {
        let folder = root.join(library).join(name);
        match write(&t5, &folder, library, methods) {
            Ok(()) => println!("{}", folder.display()),
            Err(refused) => println!("{name}: {refused}"),
        }
    }
}

fn write(t5: &T5, folder: &Path, library: &str, methods: &str) -> hyperloader::Result<()> {
    let read = || -> Vec<Box<dyn PeftConfig>> { serde_json::from_str(methods).unwrap() };
    let plan = Plan::resolve(t5.sites(), &read())?;
    let store = ParamStore::new(9, &Device::Cpu);
    let generator = StaticConfig::default().build(&plan, &Tasks::new(["task"]), store.var_builder())?;
    for (name, var) in store.vars() {
        let stream = Stream::new(4, stream_of(&name));
        let noise: Vec<f32> = (0..var.elem_count() as u64).map(|i| (0.2 * stream.normal(i)) as f32).collect();
        var.set(&(var.as_tensor() + Tensor::from_vec(noise, var.shape(), var.device())?)?)?;
    }
    let adapter = AdapterCheckpoint { methods: read(), weights: store.tensors() };
    let tensors = t5.tensors()?;
    let base = BaseModel::new(t5.sites()).tensors(&tensors);
    match library {
        "peft" => write_peft(folder, &adapter, &base)?,
        _ => write_adapterhub(folder, &adapter, &base, &AdapterHubOptions::default())?,
    }
    let ids = Tensor::new(&[[5u32, 9, 12, 7, 33, 1], [8, 20, 64, 1, 0, 0]], &Device::Cpu)?;
    let mask = Tensor::new(&[[1u32, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]], &Device::Cpu)?;
    let decoder_ids = Tensor::new(&[[0u32, 17, 9, 2], [0, 3, 81, 5]], &Device::Cpu)?;
    let weights = generator.generate(&Condition::Task(0))?;
    let (active, mut ctx) = (ActiveAdapters::new(&plan, &weights)?, Ctx::eval());
    let encoded = t5.encode(&ids, &mask, &active, &mut ctx).unwrap();
    let hidden = t5.decode(&decoder_ids, &encoded, &active, &mut ctx).unwrap();
    let logits = t5.logits(&hidden, &active, &mut ctx).unwrap();
    let io = [("input_ids", ids), ("attention_mask", mask), ("decoder_input_ids", decoder_ids)];
    let mut io: HashMap<&str, Tensor> =
        io.into_iter().map(|(name, ids)| Ok((name, ids.to_dtype(DType::I64)?))).collect::<peft_core::Result<_>>()?;
    io.insert("logits", logits);
    Ok(candle_core::safetensors::save(&io, folder.join("io.safetensors"))?)
}
