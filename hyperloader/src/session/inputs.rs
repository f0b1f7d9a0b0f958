//! Hashes of the data, the tokenizer and the backbone of a run.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use datasets::Example;
use datasets::encode::Pairs;
use datasets::tokenizer::T5Tokenizer;
use peft_files::FileEntry;
use peft_t5::T5Config;
use sha2::{Digest, Sha256};

use super::Session;
use super::load::weights_of;
use super::resume::keys_of;
use crate::files::hexadecimal;
use crate::pretrain::PretrainText;
use crate::run::RunDir;
use crate::train::{Inputs, TaskData};
use crate::{Error, Result};

/// The blocks of a weights file that count, besides its size: a backbone of gigabytes is not read twice.
const BLOCKS: u64 = 64;
/// The bytes of a block.
const BLOCK: usize = 4096;

/// The inputs of `train`. The data count as they are after encoding, so that a moved or converted file is the same.
pub(super) fn of_training(session: &Session, tasks: &[TaskData]) -> Result<Inputs> {
    let of_task = |task: &TaskData| (format!("{}.train", task.corpus.key), of_pairs(&task.train));
    let mut inputs: Inputs = tasks.iter().map(of_task).collect();
    inputs.insert("model.tokenizer".to_owned(), of_tokenizer(&session.tokenizer)?);
    let shape = of_shape(session.model.backbone().config())?;
    let weights = session.folder.as_deref().map(of_weights).transpose()?.unwrap_or_default();
    inputs.insert("model.name".to_owned(), shape + &weights);
    Ok(inputs)
}

/// What the answers for `tasks` depend on, apart from the text. Where the files are, and how the model was trained, does not count.
pub(crate) fn of_labelling(session: &Session, run: &RunDir, tasks: &[&str]) -> Result<Inputs> {
    let mut inputs = Inputs::from([
        ("the run's weights".to_owned(), FileEntry::of_file(&weights_of(run)?)?.sha256),
        ("its tokenizer".to_owned(), of_tokenizer(&session.tokenizer)?),
    ]);
    let shape = of_shape(session.model.backbone().config())?;
    let weights = session.folder.as_deref().map(of_weights).transpose()?.unwrap_or_default();
    inputs.insert("its backbone".to_owned(), shape + &weights);
    let mut hasher = Sha256::new();
    for (key, value) in keys_of(&session.config)? {
        if counts_for_labels(&key.split('.').collect::<Vec<_>>()) {
            hasher.update(format!("{key} = {value}\n"));
        }
    }
    for task in tasks {
        let tags = session.tags.get(*task).map(|tags| tags.join(" "));
        hasher.update(format!("{task}: {tags:?}\n"));
    }
    inputs.insert("its configuration".to_owned(), hexadecimal(&hasher.finalize()));
    Ok(inputs)
}

/// Whether labels depend on a key of the configuration.
fn counts_for_labels(key: &[&str]) -> bool {
    match key {
        ["train" | "pretrain", ..] | ["data", "cache" | "cache_dir" | "temperature"] => false,
        ["model", "name" | "tokenizer"] | ["eval", "batch_size"] => false,
        ["tasks", _, name, ..] => matches!(*name, "name" | "prefix" | "tag_map" | "tag_words"),
        _ => true,
    }
}

/// The hash of sentences with their tags.
pub(super) fn of_examples(examples: &[Example]) -> String {
    let mut hasher = Sha256::new();
    for example in examples {
        for words in [&example.tokens, &example.tags] {
            hasher.update((words.len() as u64).to_le_bytes());
            for word in words {
                hasher.update((word.len() as u64).to_le_bytes());
                hasher.update(word.as_bytes());
            }
        }
    }
    hexadecimal(&hasher.finalize())
}

/// The hash of the size of a file, and of samples of its content.
pub(crate) fn of_samples(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    sample(path, &mut hasher).map_err(|source| Error::io(path, source))?;
    Ok(hexadecimal(&hasher.finalize()))
}

/// The hash of the content of a file.
pub(super) fn of_file(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    Ok(hexadecimal(&Sha256::digest(bytes)))
}

/// The hash of the text of `pretrain`.
pub(super) fn of_text(text: &PretrainText) -> String {
    let mut hasher = Sha256::new();
    for words in [&text.lines, &text.tag_words] {
        hasher.update((words.len() as u64).to_le_bytes());
        for word in words {
            hasher.update((word.len() as u64).to_le_bytes());
            hasher.update(word.as_bytes());
        }
    }
    hexadecimal(&hasher.finalize())
}

/// The hash of a tokenizer.
pub(super) fn of_tokenizer(tokenizer: &T5Tokenizer) -> Result<String> {
    Ok(hexadecimal(&Sha256::digest(tokenizer.to_json()?.as_bytes())))
}

/// The hash of a shape.
pub(super) fn of_shape(shape: &T5Config) -> Result<String> {
    let text = serde_json::to_string(shape).map_err(|e| Error::Internal(format!("a shape is no JSON: {e}")))?;
    Ok(hexadecimal(&Sha256::digest(text.as_bytes())))
}

fn of_pairs(pairs: &Pairs) -> String {
    let mut hasher = Sha256::new();
    let mut bytes = Vec::new();
    for pair in pairs.iter() {
        bytes.clear();
        for ids in [pair.source, pair.target] {
            bytes.extend((ids.len() as u64).to_le_bytes());
            bytes.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
        }
        hasher.update(&bytes);
    }
    hexadecimal(&hasher.finalize())
}

/// The hash of samples of the weights in a model folder.
fn of_weights(folder: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    for file in weight_files(folder)? {
        sample(&file, &mut hasher).map_err(|source| Error::io(&file, source))?;
    }
    Ok(hexadecimal(&hasher.finalize()))
}

/// `model.safetensors` or, if there is none, all files of weights.
fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let single = folder.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let items = std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))?;
    let is_weights = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "safetensors");
    let mut files: Vec<PathBuf> = items.flatten().map(|item| item.path()).filter(is_weights).collect();
    files.sort();
    Ok(files)
}

fn sample(path: &Path, hasher: &mut Sha256) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    hasher.update(size.to_le_bytes());
    let step = (size / BLOCKS).max(BLOCK as u64);
    let mut block = Vec::with_capacity(BLOCK);
    for start in (0..size).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        block.clear();
        file.seek(SeekFrom::Start(start))?;
        file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        hasher.update(&block);
    }
    Ok(())
}
