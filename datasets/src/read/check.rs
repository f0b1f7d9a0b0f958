//! The rules for a sentence, in every format.

use crate::labels::Tag;

/// Why something cannot be read. The caller adds the file and the line.
pub(super) type Reason = String;

/// Checks that a sentence has tokens, as many tags, and no blank token. The tags are not checked: their scheme is known
/// only at the end of the file.
pub(super) fn shape(tokens: &[String], tags: &[String]) -> Result<(), Reason> {
    if tokens.len() != tags.len() {
        return Err(format!("{} tokens but {} tags: each token needs one tag", tokens.len(), tags.len()));
    }
    if tokens.is_empty() {
        return Err("a sentence without tokens".to_owned());
    }
    tokens.iter().zip(tags).try_for_each(|(token, tag)| filled(token, tag))
}

/// Checks that a token is not blank.
pub(super) fn filled(token: &str, tag: &str) -> Result<(), Reason> {
    match token.trim().is_empty() {
        true => Err(format!("empty token (tagged `{tag}`)")),
        false => Ok(()),
    }
}

/// Checks the shape of a sentence that is about to be written, and that its tags are IOB2.
pub(super) fn sentence(tokens: &[String], tags: &[String]) -> Result<(), Reason> {
    shape(tokens, tags)?;
    tags.iter().try_for_each(|tag| Tag::parse(tag).map(|_| ()).map_err(|error| error.to_string()))
}
