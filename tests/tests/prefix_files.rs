//! Prompts, prefixes and the unions that hold prefixes, in the folders of Hugging Face `peft` and of AdapterHub.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use candle_core::{Device, Tensor};
use peft_adapter::files::{AdapterHubFolder, ModelInfo, read_adapterhub, read_peft, write_adapterhub, write_peft};
use peft_core::{Active, Adapter};
use peft_lora::files::PeftFolder;
use peft_tests::compat::{CompatGolden, compat_goldens};
use serde_json::Value;

fn peft_goldens() -> Vec<CompatGolden> {
    compat_goldens(|config| matches!(config["peft_type"].as_str(), Some("PROMPT_TUNING" | "PREFIX_TUNING")))
}

/// Prefixes, and unions with a prefix.
fn hub_goldens() -> Vec<CompatGolden> {
    let is_prefix = |config: &Value| config["architecture"] == "prefix_tuning";
    let members = |config: &Value| config["configs"].as_array().cloned().unwrap_or_default();
    compat_goldens(|whole| is_prefix(&whole["config"]) || members(&whole["config"]).iter().any(is_prefix))
}

fn check(golden: &CompatGolden, adapter: &Adapter) {
    let (plan, bank) = adapter.build(golden.t5.sites(), &Device::Cpu).unwrap();
    golden.check(&golden.t5, &Active::new(&plan, &bank).unwrap());
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn every_peft_folder_computes_what_peft_does_and_goes_round() {
    for golden in peft_goldens() {
        let (sites, base) = (golden.t5.sites(), golden.base());
        let adapter = read_peft(&golden.path, &base, sites).unwrap();
        check(&golden, &adapter);

        let folder = tempfile::tempdir().unwrap();
        write_peft(folder.path(), &adapter, &base, sites, Some("t5-tiny")).unwrap();
        let again = read_peft(folder.path(), &base, sites).unwrap();
        check(&golden, &again);
        assert_eq!(adapter.weights.len(), again.weights.len());
        for (name, tensor) in &adapter.weights {
            assert_eq!(bits(tensor), bits(&again.weights[name]), "{}: {name}", golden.name);
        }
    }
}

#[test]
fn every_adapterhub_folder_computes_what_adapterhub_does_and_goes_round() {
    for golden in hub_goldens() {
        let (sites, base) = (golden.t5.sites(), golden.base());
        let adapter = read_adapterhub(&golden.path, &base, sites).unwrap();
        check(&golden, &adapter);

        let folder = tempfile::tempdir().unwrap();
        let name = golden.config["name"].as_str().unwrap().to_owned();
        write_adapterhub(folder.path(), &adapter, &base, sites, &ModelInfo { name, ..ModelInfo::default() }).unwrap();
        check(&golden, &read_adapterhub(folder.path(), &base, sites).unwrap());
        let (theirs, ours) =
            (AdapterHubFolder::read(&golden.path).unwrap(), AdapterHubFolder::read(folder.path()).unwrap());
        for (name, tensor) in &ours.tensors {
            assert_eq!(bits(tensor), bits(&theirs.tensors[name]), "{}: {name}", golden.name);
        }
        assert_eq!(theirs.tensors.keys().collect::<Vec<_>>(), ours.tensors.keys().collect::<Vec<_>>());
    }
}

#[test]
fn a_peft_folder_that_does_not_fit_is_refused_by_key_and_shape() {
    for golden in peft_goldens() {
        let (sites, base) = (golden.t5.sites(), golden.base());
        let folder = tempfile::tempdir().unwrap();
        let changed = |change: &dyn Fn(&mut PeftFolder)| {
            let mut copy = PeftFolder::read(&golden.path).unwrap();
            copy.path = folder.path().to_path_buf();
            change(&mut copy);
            copy.write().unwrap();
            read_peft(folder.path(), &base, sites).unwrap_err().to_string()
        };
        let key = "prompt_embeddings";
        let missing = changed(&|copy| drop(copy.tensors.remove(key)));
        assert_eq!(missing, "missing weights: prompt_embeddings");
        let unknown = changed(&|copy| drop(copy.tensors.insert("more".to_owned(), copy.tensors[key].clone())));
        assert!(unknown.starts_with("unknown weights: more"), "{unknown}");
        let shape = changed(&|copy| {
            copy.tensors.insert(key.to_owned(), copy.tensors[key].pad_with_zeros(1, 0, 1).unwrap());
        });
        let dims = PeftFolder::read(&golden.path).unwrap().tensors[key].dims().to_vec();
        let wider = [dims[0], dims[1] + 1];
        assert_eq!(shape, format!("prompt_embeddings: expected shape {dims:?}, found {wider:?}"));
        let modules = changed(&|copy| {
            copy.config = copy.config.replace("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]");
        });
        assert!(modules.contains("adapter_config.json: modules_to_save is set"), "{modules}");
        let tokens = changed(&|copy| {
            copy.config = copy.config.replace("\"num_virtual_tokens\": 3", "\"num_virtual_tokens\": 4");
        });
        assert!(tokens.starts_with("prompt_embeddings: expected shape ["), "{tokens}");
    }
}

#[test]
fn an_adapterhub_folder_that_does_not_fit_is_refused_by_key_and_shape() {
    for golden in hub_goldens() {
        let (sites, base) = (golden.t5.sites(), golden.base());
        let folder = tempfile::tempdir().unwrap();
        let changed = |change: &dyn Fn(&mut AdapterHubFolder)| {
            let mut copy = AdapterHubFolder::read(&golden.path).unwrap();
            copy.path = folder.path().to_path_buf();
            change(&mut copy);
            copy.write().unwrap();
            read_adapterhub(folder.path(), &base, sites).unwrap_err().to_string()
        };
        let tensors = AdapterHubFolder::read(&golden.path).unwrap().tensors;
        for (key, tensor) in tensors.iter().filter(|(key, _)| key.contains("prefix")) {
            let missing = changed(&|copy| drop(copy.tensors.remove(key)));
            assert_eq!(missing, format!("missing weights: {key}"));
            let shape =
                changed(&|copy| drop(copy.tensors.insert(key.clone(), tensor.pad_with_zeros(0, 0, 1).unwrap())));
            let mut longer = tensor.dims().to_vec();
            longer[0] += 1;
            assert_eq!(shape, format!("{key}: expected shape {:?}, found {longer:?}", tensor.dims()));
        }
        let layers = changed(&|copy| copy.config = copy.config.replace("\"leave_out\": []", "\"leave_out\": [0]"));
        assert!(layers.contains("leave_out names layers without a prefix"), "{layers}");
    }
}
