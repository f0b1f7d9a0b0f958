//! Generated ids back to tags.

use crate::error::Result;
use crate::tokenizer::{DecodeOptions, T5Tokenizer};

/// The simplified tags in generated ids, read as the authors read them: special tokens (sentinels,
/// `<pad>`, `</s>`, `<unk>`) are left out, the text is split at whitespace, and the k-th part is
/// the tag of word k, whatever sentinel stood before it.
///
/// Spaces are not cleaned up, which would join a tag such as `.` to the one before it.
///
/// # Errors
/// If the tokenizer fails.
pub fn decode_tags(tokenizer: &T5Tokenizer, ids: &[u32]) -> Result<Vec<String>> {
    let options = DecodeOptions { skip_special_tokens: true, clean_up_tokenization_spaces: false };
    let text = tokenizer.decode(ids, options)?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}
