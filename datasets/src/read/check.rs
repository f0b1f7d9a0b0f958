//! The rules for a sentence, in every format.

use crate::labels::Tag;

/// Why something cannot be read. The caller adds the file and the line.
pub(super) type Reason = String;

/// Checks that a sentence has tokens, that none of them is blank, and that each has a well-formed tag.
pub(super) fn sentence(tokens: &[String], tags: &[String]) -> Result<(), Reason> {
    if tokens.len() != tags.len() {
        return Err(format!("{} tokens but {} tags: each token needs one tag", tokens.len(), tags.len()));
    }
    if tokens.is_empty() {
        return Err("a sentence without tokens".to_owned());
    }
    tokens.iter().zip(tags).try_for_each(|(token, tag)| pair(token, tag))
}

/// Checks that a token is not blank and its tag is well-formed.
pub(super) fn pair(token: &str, tag: &str) -> Result<(), Reason> {
    if token.trim().is_empty() {
        return Err(format!("empty token (tagged `{tag}`)"));
    }
    Tag::parse(tag).map(|_| ()).map_err(|error| error.to_string())
}
