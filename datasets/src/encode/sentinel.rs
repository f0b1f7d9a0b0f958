//! One sentence as source ids and target ids.

use smart_default::SmartDefault;

use crate::error::{Error, Result};
use crate::tokenizer::{Encoded, SENTINELS, T5Tokenizer, WordEncoder};

/// How sentences become ids.
#[derive(Debug, Clone, PartialEq, Eq, SmartDefault)]
pub struct EncodeOptions {
    /// The maximal number of ids of a source, including `</s>`. Default 128, as in the paper.
    #[default(128)]
    pub max_source_length: usize,
    /// The maximal number of ids of a target, including `</s>`. Default 128, as in the paper.
    #[default(128)]
    pub max_target_length: usize,
    /// Text before the first sentinel of the source, such as the name of the task. Default empty; the paper uses a
    /// prefix only when it fine-tunes the whole model.
    pub prefix: String,
}

/// A source and its target, each ending in `</s>`, without padding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// What the encoder reads.
    pub source: Vec<u32>,
    /// What the decoder should write.
    pub target: Vec<u32>,
    /// Whether words at the end of the source were cut off.
    pub source_truncated: bool,
    /// Whether tags at the end of the target were cut off.
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

/// Encodes tagged sentences with a cache of the ids of words.
///
/// A sequence that is too long is cut off at the end, as in the original, and `</s>` comes last. A sentence may have
/// 99 words, because the closing sentinel is the 100th and last sentinel of T5; further words are cut off too. (Hugging
/// Face would write `<extra_id_100>` as plain text, which means nothing to the model. With the paper's 128 ids this does
/// not happen.) The [`Pair`] says whether anything was cut off.
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
    /// If a maximal length is 0, or the prefix cannot be tokenized.
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

    /// The source and target of a sentence. `tags` are simplified tags, one for each word.
    ///
    /// # Errors
    /// If the numbers of words and tags differ, or a tag is empty or has whitespace and so could not be read back.
    pub fn encode<W: AsRef<str>, T: AsRef<str>>(&mut self, words: &[W], tags: &[T]) -> Result<Pair> {
        if words.len() != tags.len() {
            let what = "words and tags of a sentence".to_owned();
            return Err(Error::LengthMismatch { what, left: words.len(), right: tags.len() });
        }
        Ok(Pair::new(self.source(words)?, self.target(tags)?))
    }

    /// Only the source, for prediction.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn source<W: AsRef<str>>(&mut self, words: &[W]) -> Result<Encoded> {
        let beginning = Beginning { prefix: &self.prefix, ..Beginning::default() };
        interleave(&mut self.words, beginning, words, self.max_source_length)
    }

    /// Only the target.
    ///
    /// # Errors
    /// If a tag is empty or has whitespace.
    pub fn target<T: AsRef<str>>(&mut self, tags: &[T]) -> Result<Encoded> {
        let unreadable = |tag: &&T| tag.as_ref().split_whitespace().ne([tag.as_ref()]);
        if let Some(tag) = tags.iter().find(unreadable) {
            return Err(Error::MalformedTag { tag: tag.as_ref().to_owned() });
        }
        interleave(&mut self.words, Beginning::default(), tags, self.max_target_length)
    }
}

/// How a sequence begins.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beginning<'a> {
    /// The ids before the first sentinel.
    pub(crate) prefix: &'a [u32],
    /// The number of the first sentinel.
    pub(crate) first_sentinel: usize,
}

/// `prefix <extra_id_f> w0 <extra_id_f+1> w1 … <extra_id_f+n> </s>` for the first sentinel f, at most `max_length` ids.
pub(crate) fn interleave<W: AsRef<str>>(
    encoder: &mut WordEncoder<'_>,
    beginning: Beginning<'_>,
    words: &[W],
    max_length: usize,
) -> Result<Encoded> {
    let Beginning { prefix, first_sentinel } = beginning;
    let tokenizer = encoder.tokenizer();
    // The last sentinel is reserved to close the sequence.
    let most_words = (SENTINELS - 1).saturating_sub(first_sentinel);
    let mut sentinels = tokenizer.sentinels().iter().skip(first_sentinel);
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
