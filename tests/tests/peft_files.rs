//! Adapter folders of Hugging Face `peft`: LoRA, rsLoRA, DoRA, IA3.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use candle_core::{Device, Tensor};
use peft_core::ActiveAdapters;
use peft_lora::files::{BaseModel, PeftFolder, read_peft, write_peft};
use peft_tests::compat::{CompatGolden, compat_goldens};

fn goldens() -> Vec<CompatGolden> {
    compat_goldens(11, |config| matches!(config["peft_type"].as_str(), Some("LORA" | "IA3")))
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn every_folder_computes_what_peft_does_apart_and_merged() {
    for golden in goldens() {
        let t5 = &golden.t5;
        let adapter = read_peft(&golden.path, &BaseModel::new(t5.sites()).tensors(&golden.base())).unwrap();
        let (plan, weights) = adapter.build(t5.sites(), &Device::Cpu).unwrap();
        let active = ActiveAdapters::new(&plan, &weights).unwrap();
        golden.check(t5, &active);
        golden.check(&t5.merge(&active).unwrap(), &ActiveAdapters::none());
    }
}

#[test]
fn what_is_written_is_what_was_read() {
    for golden in goldens() {
        let (sites, tensors) = (golden.t5.sites(), golden.base());
        let base = BaseModel::new(sites).tensors(&tensors).name("t5-tiny");
        let adapter = read_peft(&golden.path, &base).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_peft(folder.path(), &adapter, &base).unwrap();
        let (theirs, ours) = (PeftFolder::read(&golden.path).unwrap(), PeftFolder::read(folder.path()).unwrap());
        assert_eq!(theirs.tensors.keys().collect::<Vec<_>>(), ours.tensors.keys().collect::<Vec<_>>());
        for (name, tensor) in &theirs.tensors {
            let gap =
                (tensor - &ours.tensors[name]).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            // Increments are added to what they were taken from: the last bit may differ.
            assert!(gap < 1e-6, "{}: {name} differs by {gap}", golden.name);
        }
        let again = read_peft(folder.path(), &base).unwrap();
        let (plan, weights) = again.build(sites, &Device::Cpu).unwrap();
        golden.check(&golden.t5, &ActiveAdapters::new(&plan, &weights).unwrap());
        if !golden.config["use_dora"].as_bool().unwrap_or(false) && golden.config["modules_to_save"].is_null() {
            assert!(adapter.weights.iter().all(|(name, tensor)| bits(tensor) == bits(&again.weights[name])));
        }
    }
}

#[test]
fn a_folder_that_does_not_fit_is_refused_by_key_and_shape() {
    let goldens = goldens();
    let lora: Vec<_> = goldens.iter().filter(|golden| golden.config["peft_type"] == "LORA").collect();
    assert!(!lora.is_empty(), "no folder holds LoRA");
    for golden in lora {
        let tensors = golden.base();
        let base = BaseModel::new(golden.t5.sites()).tensors(&tensors);
        let folder = tempfile::tempdir().unwrap();
        let changed = |change: &dyn Fn(&mut PeftFolder)| {
            let mut copy = PeftFolder::read(&golden.path).unwrap();
            copy.path = folder.path().to_path_buf();
            change(&mut copy);
            copy.write().unwrap();
            read_peft(folder.path(), &base).unwrap_err().to_string()
        };
        let a = PeftFolder::read(&golden.path).unwrap().tensors.into_keys().find(|key| key.contains("lora_A")).unwrap();

        let missing = changed(&|copy| drop(copy.tensors.remove(&a)));
        assert!(missing.contains("missing") && missing.contains(&a), "{missing}");
        let unknown = changed(&|copy| {
            let tensor = copy.tensors[&a].clone();
            copy.tensors.insert(a.replace("lora_A", "lora_C"), tensor);
        });
        assert!(unknown.contains("unknown") && unknown.contains("lora_C"), "{unknown}");
        let shape = changed(&|copy| {
            let tensor = copy.tensors[&a].pad_with_zeros(0, 0, 1).unwrap();
            copy.tensors.insert(a.clone(), tensor);
        });
        let dims = PeftFolder::read(&golden.path).unwrap().tensors[&a].dims().to_vec();
        assert!(shape.contains(&a) && shape.contains(&format!("{dims:?}")), "{shape}");
        let pissa = changed(&|copy| {
            copy.config = copy.config.replace("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"")
        });
        assert!(pissa.contains("init_lora_weights is \"pissa\""), "{pissa}");
        assert!(pissa.contains("adapter_config.json"), "{pissa}");
    }
}
