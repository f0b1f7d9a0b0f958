//! The splitter.

use std::borrow::Cow;
use std::ops::Range;

use regex::Regex;

use super::config::{Splitter, WordsConfig};
use super::unicode::Ideographs;
use crate::error::{Error, Result};

/// Finds the words of a text.
///
/// ```
/// use datasets::words::{Splitter, WordSplitter, WordsConfig};
/// let text = "Fly to São Paulo, now!";
/// let words = |config: &WordsConfig| -> Result<Vec<&str>, datasets::Error> {
///     Ok(WordSplitter::new(config)?.split(text).into_iter().map(|range| &text[range]).collect())
/// };
/// assert_eq!(words(&WordsConfig::default())?, ["Fly", "to", "São", "Paulo,", "now!"]);
/// let unicode = WordsConfig { splitter: Splitter::Unicode, ..WordsConfig::default() };
/// assert_eq!(words(&unicode)?, ["Fly", "to", "São", "Paulo", ",", "now", "!"]);
/// # Ok::<(), datasets::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct WordSplitter {
    config: WordsConfig,
    rule: Rule,
}

#[derive(Debug, Clone, Default)]
enum Rule {
    #[default]
    Whitespace,
    Unicode(Ideographs),
    Pattern(Regex),
}

/// Two splitters are equal if they find the same words.
impl PartialEq for WordSplitter {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
    }
}

impl WordSplitter {
    /// The splitter that `config` describes.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a pattern is missing, is given for another rule, or is no regular expression.
    pub fn new(config: &WordsConfig) -> Result<Self> {
        let rule = match (config.splitter, &config.pattern) {
            (Splitter::Whitespace, None) => Rule::Whitespace,
            (Splitter::Unicode, None) => Rule::Unicode(Ideographs::new()?),
            (Splitter::Pattern, Some(pattern)) => Rule::Pattern(compiled(pattern)?),
            (Splitter::Pattern, None) => {
                let reason =
                    "missing; splitter = \"pattern\" needs a regular expression that matches words, such as '\\w+'";
                return Err(Error::Invalid(reason.to_owned()));
            }
            (_, Some(pattern)) => {
                let reason = format!("{pattern:?} is not used; leave it out, or set splitter = \"pattern\"");
                return Err(Error::Invalid(reason));
            }
        };
        Ok(Self { config: config.clone(), rule })
    }

    /// What it was made from.
    pub fn config(&self) -> &WordsConfig {
        &self.config
    }

    /// The words of `text` as ranges of bytes, from left to right. They do not overlap, and none is empty or white space alone.
    pub fn split(&self, text: &str) -> Vec<Range<usize>> {
        match &self.rule {
            Rule::Whitespace => between_white_space(text),
            Rule::Unicode(ideographs) => ideographs.words(text),
            Rule::Pattern(pattern) => {
                let matches = pattern.find_iter(text).filter(|found| !found.as_str().trim().is_empty());
                matches.map(|found| found.range()).collect()
            }
        }
    }

    /// What the model reads for `word`.
    pub fn read<'t>(&self, word: &'t str) -> Cow<'t, str> {
        if self.config.lowercase { Cow::Owned(word.to_lowercase()) } else { Cow::Borrowed(word) }
    }
}

/// The ranges of `text` without white space, each as long as possible.
pub(super) fn between_white_space(text: &str) -> Vec<Range<usize>> {
    let (mut words, mut begun) = (Vec::new(), None);
    for (at, character) in text.char_indices() {
        match (character.is_whitespace(), begun) {
            (true, Some(start)) => {
                words.push(start..at);
                begun = None;
            }
            (false, None) => begun = Some(at),
            _ => {}
        }
    }
    words.extend(begun.map(|start| start..text.len()));
    words
}

fn compiled(pattern: &str) -> Result<Regex> {
    Regex::new(pattern).map_err(|error| {
        // The last of its lines says what is wrong; the others draw the place.
        let whole = error.to_string();
        let reason = whole.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Error::Invalid(format!("{pattern:?} is no regular expression: {reason}"))
    })
}
