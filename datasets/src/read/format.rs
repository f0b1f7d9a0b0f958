//! The formats and their names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, nearest};

/// The format of a corpus. Configurations and the command line name it in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Columns, one token per line, a blank line after each sentence.
    Bio,
    /// A folder of `seq.in` and `seq.out`.
    Seq,
    /// mTOD's TSV (Schuster et al. 2019).
    Mtod,
    /// mTOP's TSV (Li et al. 2021).
    Mtop,
    /// A table of text with a header, its cells separated by commas, semicolons, tabs or bars.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// One JSON object per line.
    Jsonl,
    /// One JSON array of objects, alone or as `data` of an object.
    Json,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 8] =
        [Self::Bio, Self::Seq, Self::Mtod, Self::Mtop, Self::Csv, Self::Parquet, Self::Jsonl, Self::Json];

    /// The name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bio => "bio",
            Self::Seq => "seq",
            Self::Mtod => "mtod",
            Self::Mtop => "mtop",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
            Self::Json => "json",
        }
    }

    /// All names, for messages.
    pub(super) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| Error::UnknownName {
            what: "format",
            name: name.to_owned(),
            known: Self::names(),
            nearest: nearest(name, Self::ALL.map(Self::name)),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_format_has_one_name_everywhere() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
            assert_eq!(serde_json::to_value(format).unwrap(), format.name());
        }
    }

    #[test]
    fn a_misspelled_name_gets_a_suggestion() {
        let error = "jsonlines".parse::<Format>().unwrap_err().to_string();
        assert!(error.contains("did you mean `jsonl`?"), "{error}");
    }
}
