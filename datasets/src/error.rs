//! The error type of this crate. Every message names what is wrong (file and line, column, tag, name) and, where
//! possible, what to do about it.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// A result, by default with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read, created or renamed.
    #[error("{}: {}", path.display(), peft_files::plain(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },

    /// One line of a text file, or one row of a table, breaks the rules of its format.
    #[error("{}:{place}: {reason}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line or the row.
        place: Place,
        /// What was expected and what was found.
        reason: String,
    },

    /// A whole file cannot be used, for example because it has no sentence or another format than the one given.
    #[error("{}: {reason}", path.display())]
    BadFile {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },

    /// A table lacks a column that is needed.
    #[error("{}: no column {wanted}; the columns are {}{}", path.display(), quoted(present), hint(nearest.as_deref()))]
    UnknownColumn {
        /// The table.
        path: PathBuf,
        /// The name that was given, in backquotes; all the default names if none was given.
        wanted: String,
        /// The columns of the table, in their order.
        present: Vec<String>,
        /// The column with the most similar name, if one is similar enough.
        nearest: Option<String>,
    },

    /// A name that is not known.
    #[error("unknown {what} `{name}`; known: {known}{}", hint(nearest.as_deref()))]
    UnknownName {
        /// The kind of name, such as "format".
        what: &'static str,
        /// The name that was given.
        name: String,
        /// The known names, separated by commas.
        known: String,
        /// The most similar known name, if one is similar enough.
        nearest: Option<String>,
    },

    /// A tag is not one of `O`, `B-TYPE`, `I-TYPE`.
    #[error("malformed tag {tag:?}: expected `O`, `B-TYPE` or `I-TYPE` without whitespace")]
    MalformedTag {
        /// The tag that was given.
        tag: String,
    },

    /// Two tags would be written as the same word, or the simplified form of a tag already means something else.
    #[error("{0}")]
    TagWords(String),

    /// A rule that gives tag types other names is malformed, or matches none.
    #[error("{0}")]
    TagMap(String),

    /// Two sequences must have the same length and do not.
    #[error("{what}: {left} against {right}; the lengths must be equal")]
    LengthMismatch {
        /// What was compared.
        what: String,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },

    /// A setting, or a combination of settings, is not allowed.
    #[error("{0}")]
    Invalid(String),

    /// Polars could not read or write a table.
    #[cfg(feature = "tables")]
    #[error("{}: {source}", path.display())]
    Table {
        /// The table's file.
        path: PathBuf,
        /// Polars' reason.
        source: polars::error::PolarsError,
    },

    /// The file is a table that needs polars, and this build of the crate has no polars.
    #[error(
        "{}: this program was built without tables and cannot use `{format}`; build hyperloader-datasets with its \
         feature `tables`, or use `jsonl`",
        path.display()
    )]
    WithoutTables {
        /// The table's file.
        path: PathBuf,
        /// The name of its format.
        format: &'static str,
    },

    /// The tokenizer could not be read, trained or used.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
}

impl Error {
    /// Adds the path to an error of the system. For use with `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// Adds the path to an error of polars. For use with `map_err`.
    #[cfg(feature = "tables")]
    pub fn table(path: impl Into<PathBuf>) -> impl FnOnce(polars::error::PolarsError) -> Self {
        let path = path.into();
        move |source| Self::Table { path, source }
    }

    /// An error about a table of `format`, in a build without tables.
    #[cfg(not(feature = "tables"))]
    pub(crate) fn without_tables(path: impl Into<PathBuf>, format: &'static str) -> Self {
        Self::WithoutTables { path: path.into(), format }
    }

    /// An error about a whole file.
    pub fn file(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::BadFile { path: path.into(), reason: reason.into() }
    }
}

impl From<peft_files::Error> for Error {
    fn from(peft_files::Error { path, source }: peft_files::Error) -> Self {
        Self::Io { path, source }
    }
}

/// A position in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A line of a text file; shown as `17`.
    Line(usize),
    /// A row of a table; the header does not count. Shown as `row 17`.
    Row(usize),
}

impl Place {
    /// The number of the line or row.
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

/// The candidate with the spelling most similar to `name`, if one is similar enough to suggest.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const SIMILAR: f64 = 0.8;
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= SIMILAR)
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
