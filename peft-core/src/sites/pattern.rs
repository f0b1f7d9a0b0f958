//! Regular expressions on module paths, with the syntax of Python's `re`.

use fancy_regex::Regex;

/// A regular expression on module paths, as Hugging Face `peft` reads them: look-ahead and look-behind are known.
///
/// ```
/// # use peft_core::PathPattern;
/// let encoder = PathPattern::whole(r"^(?!.*EncDec).*\.(q|v)$")?;
/// assert!(encoder.is_match("decoder.block.0.layer.0.SelfAttention.q"));
/// assert!(!encoder.is_match("decoder.block.0.layer.1.EncDecAttention.q"));
/// let ranks = PathPattern::suffix("(q|v)")?;
/// assert!(ranks.is_match("decoder.block.0.layer.0.SelfAttention.q") && !ranks.is_match("layer.0.wq"));
/// assert!(PathPattern::whole("(q").unwrap_err().starts_with("\"(q\" is no regular expression: "));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct PathPattern {
    text: String,
    regex: Regex,
}

impl PathPattern {
    /// An expression that the whole path must match.
    ///
    /// # Errors
    /// The text, and why it is no regular expression.
    pub fn whole(text: &str) -> Result<Self, String> {
        Self::compile(text, &format!("^(?:{text})$"))
    }

    /// An expression that the whole path must match, or all of it after one of its dots.
    ///
    /// # Errors
    /// As [`whole`](Self::whole).
    pub fn suffix(text: &str) -> Result<Self, String> {
        Self::compile(text, &format!(r"^(?:.*\.)?(?:{text})$"))
    }

    /// An expression for the component before a layer's number.
    ///
    /// # Errors
    /// As [`whole`](Self::whole).
    pub fn before_number(text: &str) -> Result<Self, String> {
        Self::compile(text, &format!(r"^(?:.*?\.)?(?:{text})\.(?<number>\d+)\."))
    }

    fn compile(text: &str, anchored: &str) -> Result<Self, String> {
        // Alone first, so that a message speaks of what was written.
        let read = Regex::new(text).and_then(|_| Regex::new(anchored));
        let regex = read.map_err(|error| format!("{text:?} is no regular expression: {error}"))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `path` matches. An expression that takes more than a million steps on one path does not match it.
    pub fn is_match(&self, path: &str) -> bool {
        self.regex.is_match(path).unwrap_or(false)
    }

    /// The number that [`before_number`](Self::before_number) finds in `path`.
    pub fn number(&self, path: &str) -> Option<usize> {
        self.regex.captures(path).ok()??.name("number")?.as_str().parse().ok()
    }
}
