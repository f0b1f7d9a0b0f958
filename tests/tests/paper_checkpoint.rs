//! Checkpoints of the paper's authors: some goldens hold the same weights under the authors' names and under the reference's.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use datasets::tokenizer::{TrainOptions, train_unigram};
use hyperloader::config::{Config, ModelConfig, TaskConfig};
use hyperloader::model::Precision;
use hyperloader::paper_checkpoint::{import, read_checkpoint};
use hyperloader::run::RunDir;
use hyperloader::session::Session;
use peft_core::Ctx;
use peft_t5::T5Config;
use peft_tests::golden::{Golden, folders};

const AUTHORS: &str = "weights_authors.safetensors";

fn equal(one: &Tensor, other: &Tensor) -> bool {
    one.dims() == other.dims()
        && one.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            == other.flatten_all().unwrap().to_vec1::<f32>().unwrap()
}

/// The goldens that hold the authors' names; two of the committed ones do.
fn with_authors() -> Vec<Golden> {
    let goldens: Vec<Golden> =
        folders().iter().map(|folder| Golden::open(folder)).filter(|g| g.file(AUTHORS).is_file()).collect();
    assert!(goldens.len() >= 2 || std::env::var_os("PEFT_GOLDENS").is_some(), "{} folders", goldens.len());
    assert!(!goldens.is_empty());
    goldens
}

#[test]
fn every_parameter_of_the_authors_has_its_name_and_shape_in_ours() {
    for golden in with_authors() {
        let ours = golden.all_weights();
        let read = read_checkpoint(golden.file(AUTHORS)).unwrap();
        let (names, expected): (Vec<_>, Vec<_>) = (read.keys().collect(), ours.keys().collect());
        assert_eq!(names, expected, "{}", golden.name);
        for (name, tensor) in &read {
            assert!(equal(tensor, &ours[name]), "{}: {name}", golden.name);
        }
    }
}

#[test]
fn an_imported_checkpoint_is_a_run_that_computes_what_the_checkpoint_does() {
    let folder = tempfile::tempdir().unwrap();
    for golden in with_authors() {
        let (model, _) = golden.model();
        let checkpoint = with_rows_for_a_tokenizer(&golden, folder.path());
        let config = config(&golden, folder.path());
        let out = folder.path().join(&golden.name);
        import(&config, &checkpoint, &out, &Device::Cpu).unwrap();
        let (session, _) = Session::load(&RunDir::new(&out), &Device::Cpu).unwrap();
        let batch = golden.batch(0);
        for task in 0..model.tasks().names().len() {
            let [theirs, ours] = [&model, &session.model].map(|model| {
                let active = model.active(task).unwrap();
                model.backbone().encode(&batch.source, &batch.mask, &active, &mut Ctx::eval()).unwrap().hidden().clone()
            });
            assert!(equal(&ours, &theirs), "{}", golden.name);
        }

        // Of a checkpoint that does not fit, nothing is kept.
        let other = Config {
            model: ModelConfig { cross_attention_bias: !config.model.cross_attention_bias, ..config.model },
            ..config
        };
        let error = import(&other, &checkpoint, &folder.path().join("none"), &Device::Cpu).unwrap_err().to_string();
        assert!(error.contains("EncDecAttention.relative_attention_bias.weight"), "{error}");
        assert!(!folder.path().join("none").exists());
    }
}

/// Rows of an embedding table that a T5 tokenizer can live with; the goldens' are smaller.
const ROWS: usize = 250;

/// The checkpoint with more rows in its embedding tables.
fn with_rows_for_a_tokenizer(golden: &Golden, folder: &Path) -> PathBuf {
    let mut tensors = candle_core::safetensors::load(golden.file(AUTHORS), &Device::Cpu).unwrap();
    for name in ["shared.weight", "lm_head.weight"] {
        if let Some(table) = tensors.get_mut(name) {
            *table = table.pad_with_zeros(0, 0, ROWS - table.dim(0).unwrap()).unwrap();
        }
    }
    let path = folder.join(format!("{}.safetensors", golden.name));
    candle_core::safetensors::save(&tensors, &path).unwrap();
    path
}

/// What a user would write for this checkpoint.
fn config(golden: &Golden, folder: &Path) -> Config {
    let (backbone, peft) = (&golden.description.backbone, &golden.description.peft);
    let shape = folder.join("shape.json");
    std::fs::write(&shape, serde_json::to_string(&T5Config { vocab_size: ROWS, ..backbone.config() }).unwrap())
        .unwrap();
    let tokenizer =
        train_unigram(["one two three"], &TrainOptions { vocab_size: 120, keep_words: Vec::new() }).unwrap();
    tokenizer.save(folder.join("tokenizer.json")).unwrap();
    let task = |name: &String| TaskConfig::new(name, "train.bio");
    Config {
        model: ModelConfig {
            name: format!("config:{}", shape.display()),
            tokenizer: Some(folder.join("tokenizer.json")),
            trainable: peft.trainable(),
            cross_attention_bias: backbone.cross_bias,
            dtype: Precision::F32,
            dropout_rate: None,
        },
        peft: peft.methods(),
        generator: peft.generator(),
        tasks: peft.tasks.iter().map(task).collect(),
        ..Config::default()
    }
}

#[test]
fn a_checkpoint_that_is_none_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let one =
        std::collections::HashMap::from([("weight", Tensor::zeros(2, candle_core::DType::F32, &Device::Cpu).unwrap())]);
    candle_core::safetensors::save(&one, &path).unwrap();
    let message = read_checkpoint(&path).unwrap_err().to_string();
    assert!(message.contains("other.safetensors") && message.contains("shared.weight"), "{message}");
    assert!(read_checkpoint(folder.path().join("none.bin")).unwrap_err().to_string().contains("none.bin"));
}
