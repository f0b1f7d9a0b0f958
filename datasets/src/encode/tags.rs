//! Generated ids as tags.

use crate::error::Result;
use crate::tokenizer::{DecodeOptions, T5Tokenizer};

/// The simplified tags in generated ids, read as the authors of the paper read them. Special tokens (sentinels, `<pad>`,
/// `</s>`, `<unk>`) are left out, and the text is split at whitespace. Part k is the tag of word k; the sentinels do
/// not matter.
///
/// Spaces are not cleaned up, because that would join a tag such as `.` to the previous tag.
///
/// # Errors
/// If the tokenizer fails.
pub fn decode_tags(tokenizer: &T5Tokenizer, ids: &[u32]) -> Result<Vec<String>> {
    let options = DecodeOptions { skip_special_tokens: true, clean_up_tokenization_spaces: false };
    let text = tokenizer.decode(ids, options)?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}
