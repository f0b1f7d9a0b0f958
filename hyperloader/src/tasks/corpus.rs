//! One task's sentences as text and as ids.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use datasets::encode::{EncodeOptions, Pairs, encode_all};
use datasets::labels::{TagSet, TagWords, simplify};
use datasets::read::{Example, Format, OnBadLine, ReadOptions, files_of, read};
use datasets::sample::down_sample;
use datasets::tokenizer::T5Tokenizer;

use super::cache::{Cache, Key};
use crate::config::{self, Config, TaskConfig};
use crate::{Error, Result};

/// Which part of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitName {
    /// What the model learns from.
    Train,
    /// What selects the best checkpoint.
    Validation,
    /// What is reported.
    Test,
}

impl fmt::Display for SplitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

impl FromStr for SplitName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "train" => Ok(Self::Train),
            "validation" | "valid" | "dev" => Ok(Self::Validation),
            "test" => Ok(Self::Test),
            _ => Err(Error::Config(format!("unknown split {name:?}; known: train, validation, test"))),
        }
    }
}

/// How one task's sentences are read and written as text.
#[derive(Debug, Clone)]
pub struct Corpus<'a> {
    config: &'a Config,
    task: &'a TaskConfig,
    words: TagWords,
}

/// The sentences of one split in ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The sentences, in the order of the file.
    pub pairs: Pairs,
    /// How many bad lines were left out.
    pub skipped: usize,
}

impl<'a> Corpus<'a> {
    /// The corpus of one of the configuration's tasks.
    ///
    /// # Errors
    /// If two of its tags would be written with one word.
    pub fn new(config: &'a Config, task: &'a TaskConfig) -> Result<Self> {
        Ok(Self { config, task, words: TagWords::new(task.tag_words.clone())? })
    }

    /// The task's name.
    pub fn name(&self) -> &'a str {
        &self.task.name
    }

    /// The words that stand for tags.
    pub fn words(&self) -> &TagWords {
        &self.words
    }

    /// How sentences of this task become ids.
    pub fn encode_options(&self) -> EncodeOptions {
        EncodeOptions {
            max_source_length: self.config.data.max_source_length.get(),
            max_target_length: self.config.data.max_target_length.get(),
            prefix: self.task.prefix.clone().unwrap_or_default(),
        }
    }

    /// The file of `split`, if the task has one.
    pub fn path(&self, split: SplitName) -> Option<&'a Path> {
        match split {
            SplitName::Train => Some(&self.task.train),
            SplitName::Validation => self.task.validation.as_deref(),
            SplitName::Test => self.task.test.as_deref(),
        }
    }

    fn path_of(&self, split: SplitName) -> Result<&'a Path> {
        self.path(split).ok_or_else(|| {
            Error::Config(format!(
                "task {:?} has no {split} data; give tasks.{split} in its [[tasks]] table",
                self.task.name
            ))
        })
    }

    /// Reads `split` without encoding it. Training and validation sentences are down-sampled to `data.fraction`.
    ///
    /// # Errors
    /// [`Error::Config`] if the task has no such split; otherwise the reader's, with file, line and reason.
    pub fn read(&self, split: SplitName) -> Result<(Vec<Example>, usize)> {
        let mut dataset = read(self.path_of(split)?, &self.read_options()?)?;
        if self.is_sampled(split) {
            dataset = down_sample(&dataset, self.config.data.fraction, self.config.seed)?;
        }
        Ok((dataset.examples, dataset.skipped.len()))
    }

    /// The simplified tags of the training sentences, sorted: what structured decoding chooses from.
    ///
    /// # Errors
    /// As [`Corpus::read`], and if a tag is not one.
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

    /// Like [`Corpus::load`], where `cache` knows the sentences without reading them; `note` hears of a cache that cannot be
    /// used. A corpus of which bad lines were left out is not kept, so that they are counted every time.
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
        if self.config.data.on_bad_line == config::OnBadLine::Skip {
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
        let pairs = encode_all(tokenizer, &self.encode_options(), examples, |example| self.target(example))?;
        Ok(pairs.iter().collect())
    }

    /// `key` with everything that the ids of `split` depend on, beside the tokenizer.
    fn key(&self, split: SplitName, key: Key) -> Result<Key> {
        let (path, reading, encoding) = (self.path_of(split)?, self.read_options()?, self.encode_options());
        let data = &self.config.data;
        // The format may be found by the name, so that its end matters.
        let options = serde_json::json!({
            "extension": path.extension().map(|extension| extension.to_string_lossy()),
            "reading": reading,
            "max_source_length": encoding.max_source_length,
            "max_target_length": encoding.max_target_length,
            "prefix": encoding.prefix,
            "tag_words": self.task.tag_words,
            "sample": self.is_sampled(split).then_some((data.fraction, self.config.seed)),
        });
        let mut key = key.with(options.to_string().as_bytes());
        for file in files_of(path, &reading) {
            key = key.with(&std::fs::read(&file).map_err(|e| Error::io(&file, e))?);
        }
        Ok(key)
    }

    fn is_sampled(&self, split: SplitName) -> bool {
        self.config.data.fraction < 1. && split != SplitName::Test
    }

    /// The words that the model is to write for a sentence's tags.
    fn target<'e>(&'e self, example: &'e Example) -> datasets::Result<Vec<&'e str>> {
        Ok(simplify(&example.tags)?.into_iter().map(|tag| self.words.word(tag)).collect())
    }

    fn format(&self, name: &str) -> Result<Format> {
        Format::from_str(name).map_err(|e| Error::Config(format!("tasks.format of {:?}: {e}", self.task.name)))
    }

    fn read_options(&self) -> Result<ReadOptions> {
        Ok(ReadOptions {
            format: self.task.format.as_deref().map(|name| self.format(name)).transpose()?,
            on_bad_line: match self.config.data.on_bad_line {
                config::OnBadLine::Fail => OnBadLine::Fail,
                config::OnBadLine::Skip => OnBadLine::Skip,
            },
            tokens_column: self.task.tokens_column.clone(),
            tags_column: self.task.tags_column.clone(),
        })
    }
}
