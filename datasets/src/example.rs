//! The tagged sentence that every part of the crate works on.

/// A sentence: tokens, and one BIO tag for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Example {
    /// The tokens as written.
    pub tokens: Vec<String>,
    /// One of `O`, `B-TYPE`, `I-TYPE` for each token, as written.
    pub tags: Vec<String>,
    /// The line of the file (the row of a table) where the sentence begins, counted from 1. `None` if it was made in
    /// memory.
    pub line: Option<usize>,
}

impl Example {
    /// A sentence made in memory.
    pub fn new<T, G>(tokens: impl IntoIterator<Item = T>, tags: impl IntoIterator<Item = G>) -> Self
    where
        T: Into<String>,
        G: Into<String>,
    {
        Self {
            tokens: tokens.into_iter().map(Into::into).collect(),
            tags: tags.into_iter().map(Into::into).collect(),
            line: None,
        }
    }
}
