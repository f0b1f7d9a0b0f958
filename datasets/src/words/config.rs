//! How raw text becomes words.

use serde::{Deserialize, Serialize};

/// The rule that says what a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Splitter {
    /// What is between white space. A no-break space is white space, too.
    #[default]
    Whitespace,
    /// What is between the word boundaries of Unicode (UAX 29).
    ///
    /// White space is no word, and each punctuation mark or symbol is a word. Han, Hiragana and Katakana are split into
    /// characters. A word never begins or ends within a character and its combining marks, or within an emoji.
    Unicode,
    /// Each match of a regular expression.
    Pattern,
}

/// How raw text becomes words, and how the model reads them.
///
/// ```
/// use datasets::words::{Splitter, WordsConfig};
/// let config: WordsConfig = serde_json::from_str(r#"{"splitter": "unicode", "lowercase": true}"#)?;
/// assert_eq!((config.splitter, config.pattern), (Splitter::Unicode, None));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WordsConfig {
    /// The rule: `"whitespace"`, `"unicode"` or `"pattern"`. Default `"whitespace"`.
    pub splitter: Splitter,
    /// With `"pattern"`: the regular expression, in the syntax of the crate `regex`. Each match that is more than white space is a
    /// word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Whether the model reads words in lower case. The text itself, and the words in answers, stay as they are. Default
    /// `false`.
    pub lowercase: bool,
}
