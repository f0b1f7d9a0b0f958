//! One sentence as source and target ids.

use crate::error::{Error, Result};
use crate::tokenizer::{Encoded, SENTINELS, T5Tokenizer, WordEncoder};

/// How sentences become ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Most ids of a source, `</s>` included. Default 128, the paper's.
    pub max_source_length: usize,
    /// Most ids of a target, `</s>` included. Default 128, the paper's.
    pub max_target_length: usize,
    /// Text before the first sentinel of the source, such as the name of the task. Default none;
    /// the paper has one only where the whole model is fine-tuned.
    pub prefix: String,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self { max_source_length: 128, max_target_length: 128, prefix: String::new() }
    }
}

/// A source and its target, each closed by `</s>`, unpadded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// What the encoder reads.
    pub source: Vec<u32>,
    /// What the decoder is to write.
    pub target: Vec<u32>,
    /// Whether words were lost at the end of the source.
    pub source_truncated: bool,
    /// Whether tags were lost at the end of the target.
    pub target_truncated: bool,
}

impl Pair {
    pub(crate) fn new(source: Encoded, target: Encoded) -> Self {
        Self {
            source: source.ids,
            target: target.ids,
            source_truncated: source.truncated,
            target_truncated: target.truncated,
        }
    }
}

/// Encodes tagged sentences, remembering the ids of words.
///
/// What does not fit the maximal length is cut at the end, as the original does, and `</s>` put
/// last. A sentence may have 99 words, since the closing sentinel is the 100th; further words are
/// dropped as if the maximal length had been met there. (Hugging Face would spell out
/// `<extra_id_100>` as plain text, which means nothing to the model; at the paper's 128 ids it
/// never gets that far.) Both are marked in the [`Pair`], never silent.
#[derive(Debug)]
pub struct Encoder<'a> {
    words: WordEncoder<'a>,
    prefix: Vec<u32>,
    max_source_length: usize,
    max_target_length: usize,
}

impl<'a> Encoder<'a> {
    /// An encoder with an empty cache.
    ///
    /// # Errors
    /// If a maximal length is 0 or the prefix cannot be tokenized.
    pub fn new(tokenizer: &'a T5Tokenizer, options: &EncodeOptions) -> Result<Self> {
        for (name, length) in [("source", options.max_source_length), ("target", options.max_target_length)] {
            if length == 0 {
                return Err(Error::Invalid(format!("max_{name}_length is 0; it must hold at least `</s>`")));
            }
        }
        Ok(Self {
            words: WordEncoder::new(tokenizer),
            prefix: tokenizer.pieces(&options.prefix)?,
            max_source_length: options.max_source_length,
            max_target_length: options.max_target_length,
        })
    }

    /// Source and target of a sentence; `tags` are the simplified ones, one for each word.
    ///
    /// # Errors
    /// If there are more tags than words or fewer, or a tag is empty or holds whitespace (it
    /// could not be read back).
    pub fn encode<W: AsRef<str>, T: AsRef<str>>(&mut self, words: &[W], tags: &[T]) -> Result<Pair> {
        if words.len() != tags.len() {
            let what = "words and tags of a sentence".to_owned();
            return Err(Error::LengthMismatch { what, left: words.len(), right: tags.len() });
        }
        Ok(Pair::new(self.source(words)?, self.target(tags)?))
    }

    /// The source alone, for prediction.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn source<W: AsRef<str>>(&mut self, words: &[W]) -> Result<Encoded> {
        interleave(&mut self.words, &self.prefix, words, self.max_source_length)
    }

    /// The target alone.
    ///
    /// # Errors
    /// If a tag is empty or holds whitespace.
    pub fn target<T: AsRef<str>>(&mut self, tags: &[T]) -> Result<Encoded> {
        let unreadable = |tag: &&T| tag.as_ref().split_whitespace().ne([tag.as_ref()]);
        if let Some(tag) = tags.iter().find(unreadable) {
            return Err(Error::MalformedTag { tag: tag.as_ref().to_owned() });
        }
        interleave(&mut self.words, &[], tags, self.max_target_length)
    }
}

/// `prefix <extra_id_0> w0 <extra_id_1> w1 … <extra_id_n> </s>`, at most `max_length` ids.
pub(crate) fn interleave<W: AsRef<str>>(
    encoder: &mut WordEncoder<'_>,
    prefix: &[u32],
    words: &[W],
    max_length: usize,
) -> Result<Encoded> {
    interleave_from(encoder, prefix, words, 0, max_length)
}

/// The same with `<extra_id_first>` before the first word.
pub(crate) fn interleave_from<W: AsRef<str>>(
    encoder: &mut WordEncoder<'_>,
    prefix: &[u32],
    words: &[W],
    first: usize,
    max_length: usize,
) -> Result<Encoded> {
    let tokenizer = encoder.tokenizer();
    // One sentinel is left to close the sequence.
    let most_words = (SENTINELS - 1).saturating_sub(first);
    let mut sentinels = tokenizer.sentinels().iter().skip(first);
    let mut ids = prefix.to_vec();
    for (word, sentinel) in words.iter().take(most_words).zip(sentinels.by_ref()) {
        ids.push(*sentinel);
        ids.extend_from_slice(encoder.ids(word.as_ref())?);
    }
    ids.extend(sentinels.next());
    let mut encoded = tokenizer.close(ids, max_length);
    encoded.truncated |= words.len() > most_words;
    Ok(encoded)
}
