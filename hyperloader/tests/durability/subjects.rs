//! Folders that are read, and what is read from them.

use std::fs;
use std::path::{Path, PathBuf};

use hyperloader::config::Config;
use hyperloader::prelude::*;
use hyperloader::run::RunDir;
use hyperloader::session::Session;
use hyperloader::tasks::{Cache, SplitName};

use crate::common::Bench;
use crate::work::{WORK, until_step};

/// A folder with a reader of it. The reader's text differs wherever a user would see another result; its error is the message.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) folder: PathBuf,
    pub(crate) read: fn(&Bench, &Path) -> Result<String, String>,
}

/// One of each kind.
pub(crate) fn subjects(bench: &Bench) -> Vec<Subject> {
    bench.ok(&["compile", "done", "--task", "home", "--out", "compiled"]);
    bench.ok(&["export", "done", "--task", "home", "--format", "adapterhub", "--out", "adapterhub"]);
    bench.ok(&["pretrain", "--config", "small.toml", "--quiet", "--out", "backbone"]);
    until_step(&WORK[0], bench, &bench.path("unfinished"), 4);
    // Of more than a MiB, which is checked block by block while it is read.
    let large = r#"{"vocab_size": 5000, "d_model": 64, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 4}"#;
    fs::write(bench.path("large.json"), large).unwrap();
    let (train, name) =
        (["train", "--config", "small.toml", "--quiet", "--out", "large", "--set"], "model.name=config:large.json");
    bench.ok(&[&train[..], &[name]].concat());
    bench.ok(&["compile", "large", "--task", "home", "--out", "large-compiled"]);
    let config = fs::read_to_string(bench.path("small.toml")).unwrap();
    let alone = config.replace("[[peft]]\npeft_type = \"BOTTLENECK\"\nreduction_factor = 4\n", "");
    assert_ne!(config, alone);
    fs::write(bench.path("lora.toml"), alone).unwrap();
    bench.ok(&["train", "--config", "lora.toml", "--quiet", "--out", "lora", "--set", "train.max_steps=4"]);
    bench.ok(&["export", "lora", "--task", "home", "--format", "peft", "--out", "peft"]);
    let t5 = T5::from_pretrained(bench.path("backbone"), &Device::Cpu).unwrap();
    let model = PeftModel::builder(t5).method(LoraConfig::new(2).target_modules(["q"])).build().unwrap();
    model.save_pretrained(bench.path("saved")).unwrap();
    let subject = |name, read| Subject { name, folder: bench.path(name), read };
    vec![
        subject("done", labelled),
        subject("unfinished", labelled),
        subject("compiled", labelled),
        subject("large-compiled", labelled),
        subject("backbone", backbone),
        subject("peft", adapter),
        subject("adapterhub", adapterhub),
        subject("saved", adapter),
        subject("cache", cached),
    ]
}

fn labelled(_: &Bench, folder: &Path) -> Result<String, String> {
    let label = || -> hyperloader::Result<String> {
        let (session, step) = Session::load(&RunDir::new(folder), &Device::Cpu)?;
        let sentences = session.labeller("home")?.label(["turn on the lights in the kitchen", "stop"])?;
        Ok(format!("{step} {sentences:?}"))
    };
    label().map_err(|e| e.to_string())
}

fn backbone(_: &Bench, folder: &Path) -> Result<String, String> {
    let score = || -> hyperloader::Result<String> {
        let ids = T5Tokenizer::from_pretrained(folder)?.encode("turn on the lights in the kitchen", 64)?.ids;
        loss(&PeftModel::builder(T5::from_pretrained(folder, &Device::Cpu)?).build()?, &ids)
    };
    score().map_err(|e| e.to_string())
}

fn adapter(_: &Bench, folder: &Path) -> Result<String, String> {
    let model = PeftModel::from_pretrained(folder, &Device::Cpu);
    model.and_then(|model| loss(&model, &[17, 40, 5, 9, 1])).map_err(|e| e.to_string())
}

/// Such a folder does not name its backbone.
fn adapterhub(_: &Bench, folder: &Path) -> Result<String, String> {
    let t5 = T5::from_pretrained(folder.join("base"), &Device::Cpu);
    let model = t5.and_then(|t5| PeftModel::load_pretrained(t5, folder));
    model.and_then(|model| loss(&model, &[17, 40, 5, 9, 1])).map_err(|e| e.to_string())
}

fn loss(model: &PeftModel<T5>, ids: &[u32]) -> hyperloader::Result<String> {
    let batch = T5Batch::new(&[ids], &[ids], 0, &Device::Cpu)?;
    Ok(model.loss(&batch, 0, &mut Ctx::eval())?.to_scalar::<f32>()?.to_bits().to_string())
}

fn cached(bench: &Bench, folder: &Path) -> Result<String, String> {
    let encode = || -> hyperloader::Result<String> {
        let tokenizer = T5Tokenizer::load(bench.path("tokenizer.json"))?;
        let (config, cache) = (Config::load(bench.path("small.toml"), &[])?, Cache::open(folder, &tokenizer)?);
        let mut found = String::new();
        for task in &config.tasks {
            let pairs = config.corpus(task)?.load_cached(SplitName::Train, &tokenizer, &cache, |_| {})?.pairs;
            found += &format!("{:?}", pairs.iter().collect::<Vec<_>>());
        }
        Ok(found)
    };
    encode().map_err(|e| e.to_string())
}
