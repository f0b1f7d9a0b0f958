//! Which column of a table (or key of a JSON object) holds the tokens, and which the tags.

use super::cell::Cell;
use super::check::Reason;
use super::collector::Found;
use super::options::ReadOptions;
use crate::error::{Error, Result, nearest, quoted};

const TOKENS: [&str; 3] = ["tokens", "words", "text"];
const TAGS: [&str; 3] = ["tags", "labels", "ner_tags"];

/// The two columns: their indices, and their names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) tokens: usize,
    pub(super) tags: usize,
    pub(super) token_name: String,
    pub(super) tag_name: String,
}

/// A column that the table lacks, with a suggestion.
#[derive(Debug)]
pub(super) struct Missing {
    wanted: String,
    nearest: Option<String>,
}

impl Missing {
    pub(super) fn into_error<S: AsRef<str>>(self, path: &std::path::Path, present: &[S]) -> Error {
        Error::UnknownColumn {
            path: path.to_owned(),
            wanted: self.wanted,
            present: present.iter().map(|name| name.as_ref().to_owned()).collect(),
            nearest: self.nearest,
        }
    }
}

impl Columns {
    /// The columns that the options name or number, or else the first usual name that the table has.
    pub(super) fn find<S: AsRef<str>>(present: &[S], options: &ReadOptions) -> Result<Self, Missing> {
        let tokens = one(options.tokens_column.as_deref(), &TOKENS, present)?;
        let tags = one(options.tags_column.as_deref(), &TAGS, present)?;
        let name = |index: usize| present.get(index).map_or(String::new(), |name| name.as_ref().to_owned());
        Ok(Self { tokens, tags, token_name: name(tokens), tag_name: name(tags) })
    }

    /// Refuses a table in which the choice is not clear: two columns of one name, or one column for both.
    pub(super) fn check<S: AsRef<str>>(&self, present: &[S]) -> Result<(), Reason> {
        if self.tokens == self.tags {
            return Err(format!("column `{}` cannot hold both tokens and tags", self.token_name));
        }
        let twice = |name: &&String| present.iter().filter(|other| other.as_ref() == **name).count() > 1;
        match [&self.token_name, &self.tag_name].into_iter().find(twice) {
            Some(name) => Err(format!("two columns are called `{name}`; rename one of them")),
            None => Ok(()),
        }
    }

    /// The words in the two cells of a row. If `numbers` is set, tags may be numbers.
    pub(super) fn words(&self, tokens: Cell, tags: Cell, numbers: bool) -> Result<Found, Reason> {
        let named = |name: &str, reason: Reason| format!("column `{name}`: {reason}");
        let tokens = tokens.tokens().map_err(|reason| named(&self.token_name, reason))?;
        let tags = tags.tags(numbers).map_err(|reason| named(&self.tag_name, reason))?;
        Ok((tokens, tags))
    }

    /// The decision for a person.
    pub(super) fn described(&self) -> String {
        format!("columns: tokens `{}`, tags `{}`", self.token_name, self.tag_name)
    }
}

fn one<S: AsRef<str>>(given: Option<&str>, usual: &[&str], present: &[S]) -> Result<usize, Missing> {
    let wanted: Vec<&str> = given.map_or_else(|| usual.to_vec(), |name| vec![name]);
    let exact = wanted.iter().find_map(|name| present.iter().position(|other| other.as_ref() == *name));
    let numbered = || numbered(given?, present.len());
    let similar = || wanted.iter().find_map(|name| position(name, present));
    exact.or_else(numbered).or_else(similar).ok_or_else(|| Missing {
        wanted: quoted(&wanted),
        nearest: wanted.iter().find_map(|name| nearest(name, present.iter().map(AsRef::as_ref))),
    })
}

/// The index of the column with a name. If none has exactly this name, it is the only one whose name differs by case and blanks
/// around it.
pub(super) fn position<S: AsRef<str>>(name: &str, present: &[S]) -> Option<usize> {
    let exact = present.iter().position(|other| other.as_ref() == name);
    exact.or_else(|| {
        let plain = |name: &str| name.trim().to_lowercase();
        let wanted = plain(name);
        let mut similar = present.iter().enumerate().filter(|(_, other)| plain(other.as_ref()) == wanted);
        let (index, _) = similar.next()?;
        similar.next().is_none().then_some(index)
    })
}

/// The index of a column that is given by its number, counted from 1.
pub(super) fn numbered(given: &str, columns: usize) -> Option<usize> {
    let index = given.parse::<usize>().ok()?.checked_sub(1)?;
    (index < columns).then_some(index)
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
    fn given_names_come_before_numbers_and_usual_names() {
        let present = ["tokens", "tags", "a", "1"];
        let found = |options| Columns::find(&present, &options).ok().map(|c| (c.token_name, c.tag_name));
        assert_eq!(found(options(None, None)), Some(("tokens".into(), "tags".into())));
        assert_eq!(found(options(Some("a"), Some("2"))), Some(("a".into(), "tags".into())));
        assert_eq!(found(options(Some("1"), Some("3"))), Some(("1".into(), "a".into())));
        assert_eq!(found(options(Some("5"), None)), None);
        assert_eq!(found(options(Some("0"), None)), None);
    }

    #[test]
    fn case_and_blanks_do_not_matter_if_one_column_is_meant() {
        let found = |present: &[&str], options| Columns::find(present, &options).ok().map(|c| (c.tokens, c.tags));
        assert_eq!(found(&["id", " Tokens ", "NER_Tags"], options(None, None)), Some((1, 2)));
        assert_eq!(found(&["Satz", "NER"], options(Some("satz"), Some(" ner"))), Some((0, 1)));
        // A name that fits exactly comes first, and of two that nearly fit neither is taken.
        assert_eq!(found(&["TEXT", "tags", "text"], options(None, None)), Some((2, 1)));
        assert_eq!(found(&["TEXT", "tags", "words"], options(None, None)), Some((2, 1)));
        assert_eq!(found(&["Tokens", "TOKENS", "tags"], options(None, None)), None);
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
