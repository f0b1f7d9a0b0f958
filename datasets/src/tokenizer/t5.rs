//! The tokenizer itself.

use std::path::Path;

use tokenizers::Tokenizer;

use super::cleanup::clean_up_tokenization_spaces;
use super::conventions::{EOS, PAD, SENTINELS, UNK, foreign, sentinel_text};
use crate::error::{Error, Result};

/// T5's tokenizer: a Unigram vocabulary with `<pad>`, `</s>`, `<unk>` and the sentinels.
#[derive(Clone)]
pub struct T5Tokenizer {
    inner: Tokenizer,
    pad: u32,
    eos: u32,
    unk: u32,
    sentinels: Vec<u32>,
}

/// The ids of a text, ending in `</s>`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The ids; the last is `</s>`.
    pub ids: Vec<u32>,
    /// Whether the end was cut off to keep the maximal length.
    pub truncated: bool,
}

/// How ids are decoded to text. The default keeps everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Leave out `<pad>`, `</s>`, `<unk>` and the sentinels.
    pub skip_special_tokens: bool,
    /// Remove the space before English punctuation, see [`clean_up_tokenization_spaces`].
    pub clean_up_tokenization_spaces: bool,
}

/// Shows only the size of the vocabulary, which is too long to list.
impl std::fmt::Debug for T5Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("T5Tokenizer").field("vocab_size", &self.vocab_size()).finish_non_exhaustive()
    }
}

impl T5Tokenizer {
    /// Wraps a tokenizer that follows T5's conventions, and finds its special tokens by their text.
    pub(super) fn new(inner: Tokenizer) -> Result<Self> {
        let id = |text: &str| inner.token_to_id(text);
        let special = |text: &str| {
            id(text).ok_or_else(|| Error::Tokenizer(format!("the vocabulary lacks the special token `{text}`")))
        };
        let (pad, eos, unk) = (special(PAD)?, special(EOS)?, special(UNK)?);
        let sentinels = (0..SENTINELS).map(|index| special(&sentinel_text(index))).collect::<Result<_>>()?;
        Ok(Self { inner, pad, eos, unk, sentinels })
    }

    /// Id of `<pad>`, 0 in T5.
    pub fn pad_id(&self) -> u32 {
        self.pad
    }

    /// Id of `</s>`, 1 in T5.
    pub fn eos_id(&self) -> u32 {
        self.eos
    }

    /// Id of `<unk>`, 2 in T5.
    pub fn unk_id(&self) -> u32 {
        self.unk
    }

    /// Id of `<extra_id_{index}>`; `None` for [`SENTINELS`] and above.
    pub fn sentinel(&self, index: usize) -> Option<u32> {
        self.sentinels.get(index).copied()
    }

    /// Ids of all sentinels, `<extra_id_0>` first.
    pub fn sentinels(&self) -> &[u32] {
        &self.sentinels
    }

    /// The number of ids. The embedding of a model may have more rows (32,128 for T5's 32,100 ids).
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Id of a token by its exact text.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Text of a token by its id.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The ids of a text of any length, without `</s>`. Sentinels in the text become one id each.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn pieces(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(foreign)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a text with `</s>` at the end. If there are more than `max_length`, the end of the text is cut off.
    ///
    /// # Errors
    /// If `max_length` is 0 or the tokenizer fails.
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Encoded> {
        if max_length == 0 {
            return Err(Error::Invalid("max_length 0 leaves no room for `</s>`; use 1 or more".to_owned()));
        }
        Ok(self.close(self.pieces(text)?, max_length))
    }

    /// Cuts to `max_length - 1` ids and appends `</s>`.
    pub(crate) fn close(&self, mut ids: Vec<u32>, max_length: usize) -> Encoded {
        let room = max_length.saturating_sub(1);
        let truncated = ids.len() > room;
        ids.truncate(room);
        ids.push(self.eos);
        Encoded { ids, truncated }
    }

    /// The text of ids. Ids outside the vocabulary are left out, as in Hugging Face's tokenizers.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn decode(&self, ids: &[u32], options: DecodeOptions) -> Result<String> {
        let text = self.inner.decode(ids, options.skip_special_tokens).map_err(foreign)?;
        if options.clean_up_tokenization_spaces { Ok(clean_up_tokenization_spaces(&text)) } else { Ok(text) }
    }

    /// Writes a `tokenizer.json`, which this crate and Hugging Face's `tokenizers` can read.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let json = self.to_json()?;
        Ok(peft_files::write_atomic(path, |file| std::io::Write::write_all(file, json.as_bytes()))?)
    }

    /// The contents of the file that [`Self::save`] writes. The same tokenizer always gives the same bytes.
    ///
    /// # Errors
    /// If the tokenizer cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(true).map_err(foreign)
    }
}
