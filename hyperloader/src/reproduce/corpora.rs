//! The paper's corpora: where their files are within a data folder, and where to get them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::files::hexadecimal;
use crate::{Error, Result};

/// One corpus.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusSource {
    /// The name of its task.
    pub name: String,
    /// Its name in the paper's tables.
    pub title: String,
    /// The training data, relative to the data folder; a file, or a folder with `seq.in` and `seq.out`.
    pub train: PathBuf,
    /// The validation data.
    pub validation: PathBuf,
    /// The test data.
    pub test: PathBuf,
    /// The sentences of the three in the paper's splits.
    pub sizes: [usize; 3],
    /// Where to get it.
    pub from: String,
    /// The form of its files.
    pub form: String,
    /// Further keys of its `[[tasks]]` table.
    #[serde(default)]
    pub settings: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpora {
    corpora: Vec<CorpusSource>,
}

/// The paper's corpora, in the order of its configurations.
///
/// # Errors
/// [`Error::Internal`] if the list in this crate is damaged.
pub fn corpora() -> Result<Vec<CorpusSource>> {
    let read: Result<Corpora, _> = toml::from_str(include_str!("corpora.toml"));
    Ok(read.map_err(|e| Error::Internal(format!("corpora.toml: {e}")))?.corpora)
}

impl CorpusSource {
    fn files(&self) -> [&Path; 3] {
        [&self.train, &self.validation, &self.test]
    }

    /// The files that are not in `data`.
    pub fn missing(&self, data: &Path) -> Vec<PathBuf> {
        self.files().into_iter().map(|file| data.join(file)).filter(|path| !path.exists()).collect()
    }

    /// The SHA-256 of all of its files in `data`.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn digest(&self, data: &Path) -> Result<String> {
        let mut hasher = Sha256::new();
        for part in self.files() {
            for file in parts(&data.join(part)) {
                let size = add(&file, &mut hasher).map_err(|source| Error::io(&file, source))?;
                hasher.update(size.to_le_bytes());
            }
        }
        Ok(hexadecimal(&hasher.finalize()))
    }

    /// What to do about `missing` files.
    pub fn advice(&self, missing: &[PathBuf]) -> String {
        let list: Vec<String> = missing.iter().map(|path| path.display().to_string()).collect();
        format!(
            "{} ({}): not found: {}\n    get it from {}\n    form: {}",
            self.title,
            self.name,
            list.join(", "),
            self.from,
            self.form
        )
    }
}

/// The files of a file or a folder that hold its sentences.
fn parts(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() { ["seq.in", "seq.out"].map(|name| path.join(name)).to_vec() } else { vec![path.to_path_buf()] }
}

fn add(path: &Path, hasher: &mut Sha256) -> std::io::Result<u64> {
    let mut file = File::open(path)?;
    let mut block = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(size);
        }
        size += read as u64;
        hasher.update(block.get(..read).unwrap_or_default());
    }
}

/// The corpora called `names`, or all that are in `data` if no names are given. What is left out because it is missing comes second,
/// with where to get it.
///
/// # Errors
/// [`Error::Config`] if a name is unknown, if a corpus that was asked for is missing, or if there is none at all.
pub fn find_corpora(data: &Path, names: &[String]) -> Result<(Vec<CorpusSource>, Vec<String>)> {
    let known = corpora()?;
    for name in names {
        if !known.iter().any(|corpus| corpus.name == *name) {
            let all: Vec<&str> = known.iter().map(|corpus| corpus.name.as_str()).collect();
            let near = peft_core::near::nearest(name, all.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            return Err(Error::Config(format!("--tasks: unknown corpus {name:?}; known: {}{hint}", all.join(", "))));
        }
    }
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for corpus in known.into_iter().filter(|corpus| names.is_empty() || names.contains(&corpus.name)) {
        let missing = corpus.missing(data);
        match missing.is_empty() {
            true => found.push(corpus),
            false => left_out.push(corpus.advice(&missing)),
        }
    }
    let advice = || left_out.join("\n  ");
    if found.is_empty() {
        return Err(Error::Config(format!("--data {}: there is no corpus in it\n  {}", data.display(), advice())));
    }
    if !names.is_empty() && !left_out.is_empty() {
        return Err(Error::Config(format!("--data {}: a corpus is missing\n  {}", data.display(), advice())));
    }
    Ok((found, left_out))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn with(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for corpus in corpora().unwrap().iter().filter(|corpus| names.contains(&corpus.name.as_str())) {
            for file in corpus.files() {
                let path = folder.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "O\tword\n\n").unwrap();
            }
        }
        folder
    }

    #[test]
    fn a_missing_corpus_is_named_with_where_to_get_it() {
        let data = with(&["movie", "mtod"]);
        let (found, left_out) = find_corpora(data.path(), &[]).unwrap();
        assert_eq!(found.iter().map(|corpus| corpus.name.as_str()).collect::<Vec<_>>(), ["movie", "mtod"]);
        assert_eq!(left_out.len(), 5);
        let message = find_corpora(data.path(), &["movie".into(), "mtop".into()]).unwrap_err().to_string();
        assert!(message.contains("mtop/en/train.txt") && message.contains("https://fb.me/mtop_dataset"), "{message}");
    }

    #[test]
    fn no_corpus_and_an_unknown_one_are_wrong_calls() {
        let message = find_corpora(Path::new("/no/such/folder"), &[]).unwrap_err().to_string();
        assert!(
            message.contains("/no/such/folder") && message.contains("ATIS") && message.contains("mTOP"),
            "{message}"
        );
        let message = find_corpora(Path::new("."), &["snip".into()]).unwrap_err().to_string();
        assert!(message.contains("did you mean \"snips\"?"), "{message}");
    }

    #[test]
    fn a_digest_changes_with_each_file() {
        let data = with(&["movie"]);
        let (found, _) = find_corpora(data.path(), &[]).unwrap();
        let before = found[0].digest(data.path()).unwrap();
        assert_eq!(found[0].digest(data.path()).unwrap(), before);
        std::fs::write(data.path().join("mit_movie/engtest.bio"), "O\tother\n\n").unwrap();
        assert_ne!(found[0].digest(data.path()).unwrap(), before);
    }
}
