//! The words of a cell.

use super::content::Cell;
use super::python;
use crate::read::check::Reason;
use crate::read::tag_names::NUMBERS;

impl Cell {
    /// The tokens in a cell.
    pub(in crate::read) fn tokens(self) -> Result<Vec<String>, Reason> {
        match self {
            Self::Text(text) => match listed(&text) {
                // `[1]` is rather a word, such as the mark of a footnote.
                Some(Self::Numbers(numbers)) if numbers.len() < 2 => Ok(blank_separated(&text)),
                None => Ok(blank_separated(&text)),
                Some(list) => list.tokens(),
            },
            Self::Texts(words) => Ok(words),
            Self::Numbers(_) => Err("an item of the list is no text but a number".to_owned()),
            Self::Empty => Err("an empty cell".to_owned()),
            Self::Other(reason) => Err(reason),
        }
    }

    /// The tags in a cell. If `numbers` is set, they may be numbers.
    pub(in crate::read) fn tags(self, numbers: bool) -> Result<Vec<String>, Reason> {
        match self {
            Self::Text(text) => match listed(&text) {
                None => Ok(blank_separated(&text)),
                Some(list) => list.tags(numbers),
            },
            Self::Numbers(found) if numbers || found.is_empty() => Ok(found.iter().map(i64::to_string).collect()),
            Self::Numbers(_) => Err(format!("an item of the list is no text but a number ({NUMBERS})")),
            other => other.tokens(),
        }
    }
}

/// A text that is written as a list, or was meant as one.
fn listed(text: &str) -> Option<Cell> {
    let text = text.trim();
    if !python::begins_like_list(text) {
        return None;
    }
    let json = if text.starts_with('[') { serde_json::from_str(text).ok() } else { None };
    let list = match json {
        // A list without any text, such as `[null]` or `[[1]]`, is rather a word than a mistake.
        Some(Cell::Other(_)) if !text.contains('"') => python::list(text),
        Some(list) => Some(list),
        None => python::list(text),
    };
    list.or_else(|| python::looks_like_list(text).then(|| Cell::Other(UNREADABLE.to_owned())))
}

/// Why a text is refused that is not quite a list.
const UNREADABLE: &str =
    "a list that cannot be read; expected a list in JSON or as Python prints it, or words separated by blanks";

fn blank_separated(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
