//! Adapter folders of Hugging Face `peft` on Llama and Mistral, and methods at embedding tables.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use hyperloader::model::SavePretrained;
use peft_adapter::files::{BaseModel, read_peft, write_peft};
use peft_core::conformance::{Outcome, check};
use peft_core::{ActiveAdapters, PeftConfig, PeftModel, StaticConfig};
use peft_hyper::HyperConfig;
use peft_lora::LoraConfig;
use peft_lora::files::PeftFolder;
use peft_tests::decoders::{DecoderGolden, decoder_goldens};
use peft_tests::llama_backbone::LlamaBackbone;

/// The adapter of `folder` on its backbone, as the library opens it.
fn model(golden: &DecoderGolden, folder: &std::path::Path) -> PeftModel<peft_llama::Llama> {
    PeftModel::load_pretrained(golden.llama.clone(), folder).unwrap_or_else(|error| panic!("{}: {error}", golden.name))
}

#[test]
fn every_backbone_computes_what_transformers_computes() {
    for golden in decoder_goldens() {
        let none = ActiveAdapters::none();
        golden.check_logits(&golden.llama, &none, &[("", "base_logits")]);
        golden.check_greedy(&golden.llama, &none, "base_greedy");
    }
}

#[test]
fn every_adapter_computes_what_peft_computes_apart_and_merged() {
    for golden in decoder_goldens() {
        let model = model(&golden, &golden.path);
        let active = model.active("default").unwrap();
        golden.check_logits(&golden.llama, &active, &[("", "logits"), ("right_", "right_logits")]);
        golden.check_greedy(&golden.llama, &active, "greedy");

        let merged = model.merge_and_unload("default").unwrap();
        assert_eq!(merged.refused.is_empty(), golden.merges(), "{}: {:?}", golden.name, merged.refused);
        golden.check_greedy(&merged.model, &active, "greedy");
        if golden.merges() {
            let none = ActiveAdapters::none();
            let sides = [("", "logits"), ("", "merged_logits"), ("right_", "right_logits")];
            golden.check_logits(&merged.model, &none, &sides);
            golden.check_greedy(&merged.model, &none, "greedy");
        }
    }
}

#[test]
fn what_is_written_for_python_is_what_was_read() {
    for golden in decoder_goldens() {
        let tensors = golden.base();
        let base = BaseModel::new(golden.llama.sites()).tensors(&tensors).name("tiny");
        let adapter = read_peft(&golden.path, &base).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_peft(folder.path(), &adapter, &base).unwrap();
        let (theirs, ours) = (PeftFolder::read(&golden.path).unwrap(), PeftFolder::read(folder.path()).unwrap());
        // `peft` adds tables that are the backbone's own.
        let own = theirs.tensors.iter().filter(|(name, _)| !name.contains("base_layer"));
        let own: std::collections::BTreeMap<_, _> = own.collect();
        assert_eq!(own.keys().copied().collect::<Vec<_>>(), ours.tensors.keys().collect::<Vec<_>>(), "{}", golden.name);
        for (name, tensor) in own {
            let gap = (tensor - &ours.tensors[name]).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>()).unwrap();
            // Increments are added to what they were taken from: the last bit may differ.
            assert!(gap < 1e-6, "{}: {name} differs by {gap}", golden.name);
        }
        let config: serde_json::Value = serde_json::from_str(&ours.config).unwrap();
        for key in
            ["peft_type", "task_type", "num_layers", "num_transformer_submodules", "token_dim", "num_virtual_tokens"]
        {
            let expected = &golden.config[key];
            assert!(expected.is_null() || config[key] == *expected, "{}: {key} is {}", golden.name, config[key]);
        }
        golden.check_greedy(&golden.llama, &model(&golden, folder.path()).active("default").unwrap(), "greedy");
    }
}

#[test]
fn a_folder_that_does_not_fit_is_refused_by_name() {
    let goldens = decoder_goldens();
    let of = |name: &str| goldens.iter().find(|golden| golden.name == name).unwrap();
    let refused = |golden: &DecoderGolden, change: &dyn Fn(&mut PeftFolder)| {
        let tensors = golden.base();
        let base = BaseModel::new(golden.llama.sites()).tensors(&tensors);
        let folder = tempfile::tempdir().unwrap();
        let mut copy = PeftFolder::read(&golden.path).unwrap();
        copy.path = folder.path().to_path_buf();
        change(&mut copy);
        copy.write().unwrap();
        read_peft(folder.path(), &base).unwrap_err().to_string()
    };
    let other_table = refused(of("llama_lora_embedding"), &|copy| {
        let name = "base_model.model.model.embed_tokens.base_layer.weight";
        let table = (&copy.tensors[name] + 1.).unwrap();
        copy.tensors.insert(name.to_owned(), table);
    });
    assert!(other_table.contains("model.embed_tokens.weight, that is not the backbone's"), "{other_table}");
    let norms = of("llama_ln_tuning");
    let norm = "base_model.model.model.norm.ln_tuning_layers.weight";
    let missing = refused(norms, &|copy| drop(copy.tensors.remove(norm)));
    assert_eq!(missing, format!("missing weights: {norm}"));
    let shape = refused(norms, &|copy| {
        let longer = copy.tensors[norm].pad_with_zeros(0, 0, 1).unwrap();
        copy.tensors.insert(norm.to_owned(), longer);
    });
    assert!(shape.starts_with(&format!("{norm}: expected shape [24], found [25]")), "{shape}");
    let excluded = refused(norms, &|copy| {
        copy.config = copy.config.replace("\"exclude_modules\": null", "\"exclude_modules\": [\"norm\"]");
    });
    assert!(excluded.contains("exclude_modules is set, which is not supported for LN_TUNING"), "{excluded}");
    let saved = refused(norms, &|copy| {
        copy.config = copy.config.replace("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]");
    });
    assert_eq!(saved, "missing weights: base_model.model.lm_head.weight");
}

/// The toy and T5 have no embedding table as a site, so these methods are no rows of the matrix.
#[test]
fn methods_at_an_embedding_table_keep_every_promise() {
    let lora = LoraConfig::new(2).alpha(5.).target_modules(["q", "embed_tokens"]);
    let saved = LoraConfig::new(2).target_modules(["q"]).modules_to_save(["embed_tokens", "lm_head"]);
    let backbone = LlamaBackbone::new();
    for method in [lora, saved] {
        for report in [
            check(&method, &StaticConfig::new().per_task(true), &backbone).unwrap(),
            check(&method, &HyperConfig::default(), &backbone).unwrap(),
        ] {
            let lost = report.outcomes.iter().filter(|(_, outcome)| !matches!(outcome, Outcome::Held));
            let lost: Vec<&str> = lost.map(|(name, _)| *name).collect();
            assert_eq!(lost, ["dropout in training alone"], "{}\n{report}", method.typetag_name());
        }
    }
}
