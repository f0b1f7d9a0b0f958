//! The one error of this crate. Every message carries the offender (file and line, column, tag,
//! name) and, where there is one, the way out.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// A result with this crate's [`Error`] unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read, made or renamed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },

    /// One line of a text file, or one row of a table, is not what its format promises.
    #[error("{}:{place}: {reason}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line or the row.
        place: Place,
        /// What was expected there and what was found.
        reason: String,
    },

    /// A file as a whole cannot be used: no sentence in it, not the format it was said to be, ….
    #[error("{}: {reason}", path.display())]
    BadFile {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },

    /// A table lacks the column that was asked for.
    #[error("{}: no column {wanted}; the columns are {}{}", path.display(), quoted(present), hint(nearest.as_deref()))]
    UnknownColumn {
        /// The table.
        path: PathBuf,
        /// The name asked for, in backquotes; all the default names where none was asked for.
        wanted: String,
        /// The columns that are there, in their order.
        present: Vec<String>,
        /// The present name that is nearest in spelling, if one is near.
        nearest: Option<String>,
    },

    /// A name that is none of the known ones.
    #[error("unknown {what} `{name}`; known: {known}{}", hint(nearest.as_deref()))]
    UnknownName {
        /// What the name should name: "format", ….
        what: &'static str,
        /// The name as given.
        name: String,
        /// The known names, separated by commas.
        known: String,
        /// The known name that is nearest in spelling, if one is near.
        nearest: Option<String>,
    },

    /// A tag is none of `O`, `B-TYPE`, `I-TYPE`.
    #[error("malformed tag {tag:?}: expected `O`, `B-TYPE` or `I-TYPE` without whitespace")]
    MalformedTag {
        /// The tag as given.
        tag: String,
    },

    /// Two tags that would become one word, or a tag whose simplified form means something else.
    #[error("{0}")]
    TagWords(String),

    /// Two things that must have one length have two.
    #[error("{what}: {left} against {right}; the two must have one length")]
    LengthMismatch {
        /// What was compared with what.
        what: String,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },

    /// A number or a combination of settings that makes no sense.
    #[error("{0}")]
    Invalid(String),

    /// Polars refused a table.
    #[error("{}: {source}", path.display())]
    Table {
        /// The table's file.
        path: PathBuf,
        /// Polars' reason.
        source: polars::error::PolarsError,
    },

    /// The tokenizer could not be read, trained or used.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
}

impl Error {
    /// Wraps the system's reason with the file it is about; made for `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// Wraps polars' reason with the table it is about; made for `map_err`.
    pub fn table(path: impl Into<PathBuf>) -> impl FnOnce(polars::error::PolarsError) -> Self {
        let path = path.into();
        move |source| Self::Table { path, source }
    }

    /// A reason that concerns a whole file.
    pub fn file(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::BadFile { path: path.into(), reason: reason.into() }
    }
}

impl From<peft_files::Error> for Error {
    fn from(peft_files::Error { path, source }: peft_files::Error) -> Self {
        Self::Io { path, source }
    }
}

/// A place inside a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A line of a text file; shown as `17`.
    Line(usize),
    /// A row of a table, its header not counted; shown as `row 17`.
    Row(usize),
}

impl Place {
    /// The number alone.
    #[must_use]
    pub fn number(self) -> usize {
        match self {
            Self::Line(number) | Self::Row(number) => number,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "{number}"),
            Self::Row(number) => write!(f, "row {number}"),
        }
    }
}

/// The candidate nearest to `name` in spelling, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const NEAR: f64 = 0.8;
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

/// Names in backquotes, separated by commas.
pub(crate) fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    names.join(", ")
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}
