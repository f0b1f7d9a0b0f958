//! What is pretrained on.

use std::collections::BTreeSet;
use std::path::Path;

use datasets::labels::{TagSet, simplify};
use datasets::tokenizer::{T5Tokenizer, TrainOptions, train_unigram};

use crate::config::{Config, PretrainConfig};
use crate::tasks::SplitName;
use crate::{Error, Result};

/// Plain sentences, and the words that stand for the tasks' tags.
#[derive(Debug, Clone, Default)]
pub struct PretrainText {
    /// One sentence each.
    pub lines: Vec<String>,
    /// The words that stand for tags, `O` and `I` among them; empty without tasks or with `keep_tags` off.
    pub tag_words: Vec<String>,
}

impl PretrainText {
    /// The files of `pretrain.text`, or the training sentences of the tasks.
    ///
    /// # Errors
    /// If there are neither files nor tasks, or one cannot be read.
    pub fn read(config: &Config, pretrain: &PretrainConfig) -> Result<Self> {
        let mut text = Self::default();
        let mut tag_words = BTreeSet::new();
        for file in &pretrain.text {
            text.lines.extend(read_lines(file)?);
        }
        let tasks = if pretrain.text.is_empty() { config.require_tasks()? } else { &config.tasks };
        for task in tasks {
            let corpus = config.corpus(task)?;
            let (examples, _) = corpus.read(SplitName::Train)?;
            let tags = TagSet::of(&examples)?;
            tag_words.extend(tags.simplified().map(|tag| corpus.words.word(tag).to_owned()));
            if pretrain.text.is_empty() {
                text.lines.extend(examples.iter().map(|example| example.tokens.join(" ")));
            }
        }
        if pretrain.keep_tags && !tag_words.is_empty() {
            // Both are what every tagged sentence is written with, whether or not the training data has them.
            tag_words.extend(simplify(&["O", "I-X"])?.into_iter().map(str::to_owned));
            text.tag_words = tag_words.into_iter().collect();
        }
        Ok(text)
    }

    /// The words that copying puts in the place of others: the tags' words, or else the text's own.
    pub fn copy_words(&self) -> Vec<String> {
        if !self.tag_words.is_empty() {
            return self.tag_words.clone();
        }
        let words: BTreeSet<&str> = self.lines.iter().flat_map(|line| line.split_whitespace()).collect();
        words.into_iter().map(str::to_owned).collect()
    }
}

fn read_lines(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    if lines.is_empty() {
        return Err(Error::malformed(path, "no text; expected one sentence per line"));
    }
    Ok(lines)
}

/// A Unigram tokenizer for `text`, in which every tag word is one token.
///
/// # Errors
/// If the vocabulary is too small for the text.
pub fn train_tokenizer(text: &PretrainText, vocab_size: usize) -> Result<T5Tokenizer> {
    Ok(train_unigram(&text.lines, &TrainOptions { vocab_size, keep_words: text.tag_words.clone() })?)
}
