//! The text that a backbone is pretrained on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use datasets::labels::{TagSet, simplify};
use datasets::tokenizer::{T5Tokenizer, TrainOptions, train_unigram};

use crate::tasks::{Corpus, SplitName};
use crate::{Error, Result};

/// Plain sentences, and the words that the model writes for the tasks' tags.
#[derive(Debug, Clone, Default)]
pub struct PretrainText {
    /// The sentences.
    pub lines: Vec<String>,
    /// The words that the model writes for tags, `O` and `I` among them; empty without tasks or with `keep_tags` off.
    pub tag_words: Vec<String>,
}

impl PretrainText {
    /// The lines of `files` or, if there are no files, the training sentences of `corpora`. With `keep_tags`, the corpora's
    /// tag words too.
    ///
    /// # Errors
    /// If a file or a corpus cannot be read.
    pub fn read(files: &[PathBuf], corpora: &[Corpus], keep_tags: bool) -> Result<Self> {
        let mut text = Self::default();
        let mut tag_words = BTreeSet::new();
        for (index, file) in files.iter().enumerate() {
            let lines = read_lines(file).map_err(|error| error.asked_by(format!("pretrain.text.{index}")))?;
            text.lines.extend(lines);
        }
        for corpus in corpora {
            let (examples, _) = corpus.read(SplitName::Train)?;
            let tags = TagSet::of(&examples)?;
            tag_words.extend(tags.simplified().map(|tag| corpus.words.word(tag).to_owned()));
            if files.is_empty() {
                text.lines.extend(examples.iter().map(|example| example.tokens.join(" ")));
            }
        }
        if keep_tags && !tag_words.is_empty() {
            // Every tagged sentence is written with these two, even if the training data lacks them.
            tag_words.extend(simplify(&["O", "I-X"])?.into_iter().map(str::to_owned));
            text.tag_words = tag_words.into_iter().collect();
        }
        Ok(text)
    }

    /// The words that copying puts in the place of others: the tag words or, without any, the text's own words.
    pub fn copy_words(&self) -> Vec<String> {
        if !self.tag_words.is_empty() {
            return self.tag_words.clone();
        }
        let words: BTreeSet<&str> = self.lines.iter().flat_map(|line| line.split_whitespace()).collect();
        words.into_iter().map(str::to_owned).collect()
    }
}

fn read_lines(path: &Path) -> Result<Vec<String>> {
    let text = datasets::read::plain_text(path)?;
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
