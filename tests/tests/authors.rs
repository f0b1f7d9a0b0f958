//! Checkpoints of the paper's authors, as the goldens hold them beside the reference's own names.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use candle_core::Tensor;
use hyperloader::authors::read_checkpoint;
use peft_tests::golden::{Golden, folders};

fn equal(one: &Tensor, other: &Tensor) -> bool {
    one.dims() == other.dims()
        && one.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            == other.flatten_all().unwrap().to_vec1::<f32>().unwrap()
}

#[test]
fn every_parameter_of_the_authors_has_its_name_and_shape_in_ours() {
    let goldens: Vec<Golden> = folders()
        .iter()
        .map(|folder| Golden::open(folder))
        .filter(|g| g.file("weights_authors.safetensors").is_file())
        .collect();
    assert!(!goldens.is_empty());
    for golden in goldens {
        let ours = golden.all_weights();
        let read = read_checkpoint(golden.file("weights_authors.safetensors")).unwrap();
        let (names, expected): (Vec<_>, Vec<_>) = (read.keys().collect(), ours.keys().collect());
        assert_eq!(names, expected, "{}", golden.name);
        for (name, tensor) in &read {
            assert!(equal(tensor, &ours[name]), "{}: {name}", golden.name);
        }
    }
}

#[test]
fn a_checkpoint_that_is_none_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let one = std::collections::HashMap::from([(
        "weight",
        Tensor::zeros(2, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap(),
    )]);
    candle_core::safetensors::save(&one, &path).unwrap();
    let message = read_checkpoint(&path).unwrap_err().to_string();
    assert!(message.contains("other.safetensors") && message.contains("shared.weight"), "{message}");
    assert!(read_checkpoint(folder.path().join("none.bin")).unwrap_err().to_string().contains("none.bin"));
}
