//! One task's sentences as text and as ids.

use std::path::{Path, PathBuf};

use datasets::encode::{EncodeOptions, Pairs, encode_all};
use datasets::labels::{TagMap, TagSet, TagWords, simplify};
use datasets::read::{OnBadLine, ReadOptions, files_of, read};
use datasets::sample::down_sample;
use datasets::tokenizer::T5Tokenizer;
use datasets::words::WordSplitter;
use datasets::{Dataset, Example};

use super::cache::{Cache, Key};
use super::split::SplitName;
use crate::label::LabelTask;
use crate::{Error, Result};

/// One task's sentences: where they are, how they are read, and how they are written as text.
///
/// [`Config::corpus`](crate::config::Config::corpus) makes one of a `[[tasks]]` table.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// The key of the configuration's table that it comes from, for messages: `tasks.0`.
    pub key: String,
    /// The task's name.
    pub name: String,
    /// The training data: a file, or a folder with `seq.in` and `seq.out`.
    pub train: PathBuf,
    /// The validation data.
    pub validation: Option<PathBuf>,
    /// The test data.
    pub test: Option<PathBuf>,
    /// How the data are read.
    pub reading: ReadOptions,
    /// How sentences become ids.
    pub encoding: EncodeOptions,
    /// New names of tag types, which the data get when they are read.
    pub tag_map: TagMap,
    /// The words that the model writes for tags.
    pub words: TagWords,
    /// How raw text becomes words, and how words are read, when they are labelled.
    pub splitter: WordSplitter,
    /// The share of the training and validation sentences that is used, in `(0, 1]`.
    pub fraction: f64,
    /// The seed that chooses this share.
    pub seed: u64,
}

/// The sentences of one split in ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The sentences, in the order of the file.
    pub pairs: Pairs,
    /// The number of bad lines that were skipped.
    pub skipped: usize,
}

impl Corpus {
    /// The task of this corpus for a labeller. Structured decoding chooses from `tags`, the simplified tags.
    pub fn label_task(&self, tags: Vec<String>) -> LabelTask {
        LabelTask {
            name: self.name.clone(),
            tags,
            words: self.words.clone(),
            encoding: self.encoding.clone(),
            splitter: self.splitter.clone(),
        }
    }

    /// The file of `split`, if the task has one.
    pub fn path(&self, split: SplitName) -> Option<&Path> {
        match split {
            SplitName::Train => Some(&self.train),
            SplitName::Validation => self.validation.as_deref(),
            SplitName::Test => self.test.as_deref(),
        }
    }

    /// Checks that the files of all splits exist, before anything long begins.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key of the split whose file cannot be found.
    pub fn require_files(&self) -> Result<()> {
        for split in [SplitName::Train, SplitName::Validation, SplitName::Test] {
            let key = format!("{}.{split}", self.key);
            let files = self.path(split).map(|path| files_of(path, &self.reading)).unwrap_or_default();
            let found = files.iter().try_for_each(|file| std::fs::metadata(file).map(drop).map_err(|e| (file, e)));
            found.map_err(|(file, error)| match error.kind() {
                std::io::ErrorKind::NotFound if split != SplitName::Train => {
                    let reason = format!("no such file or folder; correct the path, or go without: {key} = \"none\"");
                    Error::io(file, std::io::Error::new(error.kind(), reason)).asked_by(&key)
                }
                _ => Error::io(file, error).asked_by(&key),
            })?;
        }
        Ok(())
    }

    fn path_of(&self, split: SplitName) -> Result<&Path> {
        self.path(split).ok_or_else(|| {
            let message = "give it in its [[tasks]] table";
            Error::Config(format!("task {:?} has no {split} data; {message} as {split} = \"PATH\"", self.name))
        })
    }

    /// Reads all of `split`, with what the reader decided. The tags have their [new names](Self::tag_map).
    ///
    /// # Errors
    /// [`Error::Config`] if the task has no such split, or a rule for tags matches none of the training data; otherwise the
    /// reader's, with file, line and reason.
    pub fn dataset(&self, split: SplitName) -> Result<Dataset> {
        let asked = |error: datasets::Error| Error::from(error).asked_by(format!("{}.{split}", self.key));
        let mut dataset = read(self.path_of(split)?, &self.reading).map_err(asked)?;
        if split == SplitName::Train {
            let key = format!("{}.tag_map", self.key);
            self.tag_map.check(&dataset.examples).map_err(|error| Error::setting(&key, error.to_string()))?;
        }
        self.tag_map.apply(&mut dataset.examples)?;
        Ok(dataset)
    }

    /// Reads `split` without encoding it, and counts the bad lines that were skipped. Only the [fraction](Self::fraction) of
    /// the training and validation sentences is kept.
    ///
    /// # Errors
    /// [`Error::Config`] if the task has no such split; otherwise the reader's, with file, line and reason.
    pub fn read(&self, split: SplitName) -> Result<(Vec<Example>, usize)> {
        let mut dataset = self.dataset(split)?;
        if let Some((fraction, seed)) = self.sampled(split) {
            dataset = down_sample(&dataset, fraction, seed)?;
        }
        Ok((dataset.examples, dataset.skipped.len()))
    }

    /// The simplified tags of the training sentences, sorted. Structured decoding chooses from them.
    ///
    /// # Errors
    /// As [`Corpus::read`], and if a tag is not a BIO tag.
    pub fn tags(&self) -> Result<Vec<String>> {
        let (examples, _) = self.read(SplitName::Train)?;
        Ok(TagSet::of(&examples)?.simplified().map(str::to_owned).collect())
    }

    /// Reads and encodes `split`.
    ///
    /// # Errors
    /// As [`Corpus::read`], and if two tags would be written with one word.
    pub fn load(&self, split: SplitName, tokenizer: &T5Tokenizer) -> Result<Encoded> {
        let (examples, skipped) = self.read(split)?;
        Ok(Encoded { pairs: self.encode(&examples, tokenizer)?, skipped })
    }

    /// Like [`Corpus::load`], but takes the sentences from `cache` if it has them, and adds them if not. Calls `note` with a
    /// message if the cache cannot be used. A corpus whose bad lines are skipped is not cached, so that they are counted every
    /// time.
    ///
    /// # Errors
    /// As [`Corpus::load`].
    pub fn load_cached(
        &self,
        split: SplitName,
        tokenizer: &T5Tokenizer,
        cache: &Cache,
        note: impl FnMut(&str),
    ) -> Result<Encoded> {
        if self.reading.on_bad_line == OnBadLine::Skip {
            return self.load(split, tokenizer);
        }
        let key = self.key(split, cache.key())?;
        let encode = || Ok(self.load(split, tokenizer)?.pairs);
        Ok(Encoded { pairs: cache.get_or_encode(key, encode, note)?, skipped: 0 })
    }

    /// Encodes sentences of this task.
    ///
    /// # Errors
    /// If two tags would be written with one word, or a sentence cannot be encoded.
    pub fn encode(&self, examples: &[Example], tokenizer: &T5Tokenizer) -> Result<Pairs> {
        self.words.check(&TagSet::of(examples)?)?;
        let pairs = encode_all(tokenizer, &self.encoding, examples, |example| self.target(example))?;
        Ok(pairs.iter().collect())
    }

    /// `key` with everything, except the tokenizer, that the ids of `split` depend on.
    fn key(&self, split: SplitName, key: Key) -> Result<Key> {
        let path = self.path_of(split)?;
        // The format may be found by the file's extension, so the extension counts.
        let options = serde_json::json!({
            "extension": path.extension().map(|extension| extension.to_string_lossy()),
            "reading": self.reading,
            "max_source_length": self.encoding.max_source_length,
            "max_target_length": self.encoding.max_target_length,
            "prefix": self.encoding.prefix,
            "tag_map": self.tag_map,
            "tag_words": self.words,
            "sample": self.sampled(split),
        });
        let mut key = key.with(options.to_string().as_bytes());
        for file in files_of(path, &self.reading) {
            let bytes = std::fs::read(&file);
            key = key.with(&bytes.map_err(|e| Error::io(&file, e).asked_by(format!("{}.{split}", self.key)))?);
        }
        Ok(key)
    }

    /// The share of `split` that is used and its seed; `None` if all of it is.
    fn sampled(&self, split: SplitName) -> Option<(f64, u64)> {
        (self.fraction < 1. && split != SplitName::Test).then_some((self.fraction, self.seed))
    }

    /// The words that the model is to write for a sentence's tags.
    fn target<'e>(&'e self, example: &'e Example) -> datasets::Result<Vec<&'e str>> {
        Ok(simplify(&example.tags)?.into_iter().map(|tag| self.words.word(tag)).collect())
    }
}
