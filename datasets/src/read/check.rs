//! What every sentence must be, whatever its format.

use crate::labels::Tag;

/// Why something cannot be read; the caller knows the file and the line.
pub(super) type Reason = String;

/// Shows that a sentence is one: tokens, none of them blank, and a well-formed tag for each.
pub(super) fn sentence(tokens: &[String], tags: &[String]) -> Result<(), Reason> {
    if tokens.len() != tags.len() {
        return Err(format!("{} tokens but {} tags: each token needs one tag", tokens.len(), tags.len()));
    }
    if tokens.is_empty() {
        return Err("a sentence without tokens".to_owned());
    }
    tokens.iter().zip(tags).try_for_each(|(token, tag)| pair(token, tag))
}

/// Shows that a token and its tag are well-formed.
pub(super) fn pair(token: &str, tag: &str) -> Result<(), Reason> {
    if token.trim().is_empty() {
        return Err(format!("empty token (tagged `{tag}`)"));
    }
    Tag::parse(tag).map(|_| ()).map_err(|error| error.to_string())
}
