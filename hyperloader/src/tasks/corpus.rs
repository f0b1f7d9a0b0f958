//! One task's sentences as text and as ids.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use datasets::encode::{EncodeOptions, Pair, TruncationCount, encode_all};
use datasets::labels::{TagSet, TagWords, simplify};
use datasets::read::{Example, Format, OnBadLine, ReadOptions, read};
use datasets::sample::down_sample;
use datasets::tokenizer::T5Tokenizer;

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

/// The sentences of one split.
#[derive(Debug, Clone)]
pub struct Split {
    /// Tokens and BIO tags, as read.
    pub examples: Vec<Example>,
    /// The same as ids, in the same order.
    pub pairs: Vec<Pair>,
    /// How many lost their tails to the maximal lengths.
    pub truncated: TruncationCount,
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

    /// Reads `split` without encoding it. Training and validation sentences are down-sampled to `data.fraction`.
    ///
    /// # Errors
    /// [`Error::Config`] if the task has no such split; otherwise the reader's, with file, line and reason.
    pub fn read(&self, split: SplitName) -> Result<(Vec<Example>, usize)> {
        let path = self.path(split).ok_or_else(|| {
            Error::Config(format!(
                "task {:?} has no {split} data; give tasks.{split} in its [[tasks]] table",
                self.task.name
            ))
        })?;
        let mut dataset = read(path, &self.read_options()?)?;
        let fraction = self.config.data.fraction;
        if fraction < 1. && split != SplitName::Test {
            dataset = down_sample(&dataset, fraction, self.config.seed)?;
        }
        Ok((dataset.examples, dataset.skipped.len()))
    }

    /// Reads and encodes `split`.
    ///
    /// # Errors
    /// As [`Corpus::read`], and if two tags would be written with one word.
    pub fn load(&self, split: SplitName, tokenizer: &T5Tokenizer) -> Result<Split> {
        let (examples, skipped) = self.read(split)?;
        self.words.check(&TagSet::of(&examples)?)?;
        let pairs = encode_all(tokenizer, &self.encode_options(), &examples, |example| self.target(example))?;
        let truncated = TruncationCount::of(&pairs);
        Ok(Split { examples, pairs, truncated, skipped })
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
