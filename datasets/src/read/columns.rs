//! Which column of a table (or key of a JSON object) holds the tokens, and which the tags.

use super::options::ReadOptions;
use crate::error::{Error, Result, nearest, quoted};

const TOKENS: [&str; 3] = ["tokens", "words", "text"];
const TAGS: [&str; 3] = ["tags", "labels", "ner_tags"];

/// The names of the two columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) tokens: String,
    pub(super) tags: String,
}

/// A column that the table lacks, with a suggestion.
pub(super) struct Missing {
    wanted: String,
    nearest: Option<String>,
}

impl Missing {
    pub(super) fn into_error(self, path: &std::path::Path, present: &[&str]) -> Error {
        Error::UnknownColumn {
            path: path.to_owned(),
            wanted: self.wanted,
            present: present.iter().map(|&name| name.to_owned()).collect(),
            nearest: self.nearest,
        }
    }
}

impl Columns {
    /// The columns that the options name, or else the first usual name that the table has.
    pub(super) fn find(present: &[&str], options: &ReadOptions) -> Result<Self, Missing> {
        Ok(Self {
            tokens: one(options.tokens_column.as_deref(), &TOKENS, present)?,
            tags: one(options.tags_column.as_deref(), &TAGS, present)?,
        })
    }
}

fn one(given: Option<&str>, usual: &[&str], present: &[&str]) -> Result<String, Missing> {
    let wanted: Vec<&str> = given.map_or_else(|| usual.to_vec(), |name| vec![name]);
    match wanted.iter().find(|&name| present.contains(name)) {
        Some(&name) => Ok(name.to_owned()),
        None => Err(Missing {
            wanted: quoted(&wanted),
            nearest: wanted.iter().find_map(|name| nearest(name, present.iter().copied())),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(tokens: Option<&str>, tags: Option<&str>) -> ReadOptions {
        ReadOptions {
            tokens_column: tokens.map(str::to_owned),
            tags_column: tags.map(str::to_owned),
            ..ReadOptions::default()
        }
    }

    #[test]
    fn given_names_come_before_usual_names() {
        let present = ["tokens", "tags", "a", "b"];
        let found = |options| Columns::find(&present, &options).ok().map(|c| (c.tokens, c.tags));
        assert_eq!(found(options(None, None)), Some(("tokens".into(), "tags".into())));
        assert_eq!(found(options(Some("a"), Some("b"))), Some(("a".into(), "b".into())));
    }

    #[test]
    fn a_missing_column_lists_those_present_and_the_nearest() {
        let present = ["token", "tags"];
        let missing = Columns::find(&present, &options(Some("tokens"), None)).err();
        let error = missing.map(|missing| missing.into_error("x.csv".as_ref(), &present).to_string());
        assert_eq!(
            error.as_deref(),
            Some("x.csv: no column `tokens`; the columns are `token`, `tags`; did you mean `token`?")
        );
    }
}
