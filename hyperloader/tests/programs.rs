//! The programs of `examples/` are short, and they run.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, reason = "tests, and examples that are included")]

use std::path::Path;

use hyperloader::prelude::*;

#[path = "../examples/mixed_methods.rs"]
mod mixed_methods;
#[test]
fn mixed_methods_train_and_are_saved() {
    let saved = tempfile::tempdir().unwrap();
    mixed_methods::train(saved.path()).unwrap();
    let model = PeftModel::from_pretrained(saved.path(), &Device::Cpu).unwrap();
    assert_eq!(model.tasks().names(), ["ner", "slots"]);
    assert!(model.to_checkpoint("slots").unwrap().weights.keys().any(|name| name.ends_with("lora_A.weight")));
}

#[path = "../examples/python_peft.rs"]
mod python_peft;
#[test]
fn a_folder_of_peft_labels_raw_sentences() {
    let folder = tempfile::tempdir().unwrap();
    let (t5, adapter) = (folder.path().join("t5"), folder.path().join("adapter"));
    write_peft_folder(&t5, &adapter);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    python_peft::label(&[text(&adapter), text(&t5), "city,genre".into(), "a flight to oslo".into()]).unwrap();
    assert!(python_peft::label(&[]).unwrap_err().to_string().starts_with("usage"));
}

#[test]
fn a_backbone_inside_the_adapters_folder_is_found_and_another_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (t5, adapter) = (folder.path().join("t5"), folder.path().join("adapter"));
    write_peft_folder(&t5, &adapter);
    let config = std::fs::read_to_string(adapter.join("adapter_config.json")).unwrap();
    let named = serde_json::to_string(&t5.to_string_lossy()).unwrap();
    assert!(config.contains(&named), "{config}");
    let config = config.replace(&named, "\"base\"");
    peft_files::write_listed(adapter.join("adapter_config.json"), config.as_bytes()).unwrap();
    std::fs::rename(&t5, adapter.join("base")).unwrap();
    let model = PeftModel::from_pretrained(&adapter, &Device::Cpu).unwrap();
    assert_eq!(model.parts().methods.len(), 1);

    let other = T5Config { vocab_size: 40, num_layers: 3, ..model.backbone().config().clone() };
    let error = PeftModel::load_pretrained(T5::random(&other, 0).unwrap(), &adapter).unwrap_err().to_string();
    assert!(error.contains("encoder.block.2"), "{error}");
}

#[path = "../examples/own_method.rs"]
mod own_method;
#[test]
fn a_method_of_ones_own_is_generated() {
    own_method::main().unwrap();
}

#[path = "../examples/wrapped_model.rs"]
mod wrapped_model;
#[test]
fn an_encoder_of_ones_own_trains_without_a_change_to_it() {
    wrapped_model::main().unwrap();
}

#[path = "../examples/llama.rs"]
mod llama;
#[test]
fn a_llama_with_a_folder_of_peft_generates() {
    let folder = tempfile::tempdir().unwrap();
    let (base, adapter) = (folder.path().join("base"), folder.path().join("adapter"));
    let backbone = peft_llama::Llama::random(&peft_llama::LlamaConfig::small(), 3).unwrap();
    peft_llama::save_backbone(&backbone, &base).unwrap();
    let lora = LoraConfig::new(2).target_modules(["q_proj"]);
    let model = PeftModel::builder(backbone.clone()).method(lora).build().unwrap();
    let base_model = peft_lora::files::BaseModel::new(backbone.sites());
    peft_lora::files::write_peft(&adapter, &model.to_checkpoint("default").unwrap(), &base_model).unwrap();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let arguments = [text(&base), text(&adapter), "5".into(), "9".into()];
    let written = llama::write(&arguments).unwrap();
    // LoRA changes nothing before it is trained.
    let prompts = peft_llama::LlamaInput::new(&[&[5, 9]], &Device::Cpu).unwrap();
    let options = peft_llama::GenerateOptions::new(20);
    let expected = peft_llama::generate(&backbone, &prompts, &options, &peft_core::ActiveAdapters::none()).unwrap();
    assert_eq!(written, expected);
    assert!(llama::write(&[]).unwrap_err().to_string().starts_with("usage"));
}

/// A small T5 with its tokenizer, and a LoRA as `peft` saves it.
fn write_peft_folder(t5: &Path, adapter: &Path) {
    let options = datasets::tokenizer::TrainOptions { vocab_size: 150, keep_words: vec!["O".into(), "I".into()] };
    let tokenizer =
        datasets::tokenizer::train_unigram(["a flight to oslo", "some jazz in the city"], &options).unwrap();
    let shape = preset("t5-small").unwrap();
    let (vocab_size, small) = (tokenizer.vocab_size(), 16);
    let shape =
        T5Config { vocab_size, d_model: small, d_kv: 8, num_heads: 2, num_layers: 1, num_decoder_layers: 1, ..shape };
    let backbone = T5::random(&shape, 3).unwrap();
    peft_t5::save_backbone(&backbone, t5).unwrap();
    tokenizer.save(t5.join("tokenizer.json")).unwrap();
    let name = t5.to_string_lossy().into_owned();
    let base = backbone.clone();
    let model = PeftModel::builder(backbone).method(LoraConfig::new(4).target_modules(["q", "v"])).build().unwrap();
    let base = peft_lora::files::BaseModel::new(base.sites()).name(&name);
    peft_lora::files::write_peft(adapter, &model.to_checkpoint("default").unwrap(), &base).unwrap();
}

/// Lines with code on them: comments, blank lines and lines of closing brackets do not count.
fn lines_of_code(text: &str) -> usize {
    let is_code =
        |line: &&str| !line.is_empty() && !line.starts_with("//") && !line.chars().all(|c| "})];,".contains(c));
    text.lines().map(str::trim).filter(is_code).count()
}

#[test]
fn each_program_has_at_most_twenty_lines() {
    let programs = [
        include_str!("../examples/mixed_methods.rs"),
        include_str!("../examples/python_peft.rs"),
        include_str!("../examples/own_method.rs"),
        include_str!("../examples/wrapped_model.rs"),
        include_str!("../examples/llama.rs"),
    ];
    let lines = programs.map(lines_of_code);
    assert!(lines.iter().all(|lines| (5..=20).contains(lines)), "{lines:?}");
}
