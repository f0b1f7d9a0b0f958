//! The names of the columns, if the file has them.

use super::rows::Line;
use crate::labels::looks_like_tag;
use crate::read::check::Reason;
use crate::read::columns::{numbered, position};
use crate::read::options::ReadOptions;

/// The start of the comment in which CoNLL-U Plus names the columns.
const COMMENT: &str = "global.columns";

/// What a first row calls the column of tokens. Tables have only the first three: their cells hold many tokens.
const TOKENS: [&str; 6] = ["tokens", "words", "text", "token", "word", "form"];
/// What it calls the column of tags.
const TAGS: [&str; 7] = ["tags", "labels", "ner_tags", "tag", "label", "ner", "ner_tag"];

/// The names of the columns.
#[derive(Default)]
pub(super) struct Names<'a> {
    names: Vec<&'a str>,
    /// Whether they are in the first row.
    in_first_row: bool,
}

impl<'a> Names<'a> {
    /// Names in a comment of CoNLL-U Plus, or in the first row.
    pub(super) fn of(lines: &[Line<'a>], options: &ReadOptions) -> Self {
        let named = lines.iter().find_map(|line| match line {
            Line::Hash(row) => row.cells.iter().position(|cell| cell.contains(COMMENT)).map(|at| (row, at + 1)),
            _ => None,
        });
        if let Some((row, at)) = named {
            let names = row.cells.get(at..).unwrap_or_default().iter().copied().filter(|name| *name != "=").collect();
            return Self { names, in_first_row: false };
        }
        let mut rows = lines.iter().filter_map(|line| match line {
            Line::Token(row) => Some(row.cells.as_slice()),
            _ => None,
        });
        match rows.next() {
            Some(first) if is_header(first, rows, options) => Self { names: first.to_vec(), in_first_row: true },
            _ => Self::default(),
        }
    }

    /// The cells of the first row, if it holds the names.
    pub(super) fn header(&self) -> Option<&[&'a str]> {
        self.in_first_row.then_some(self.names.as_slice())
    }

    /// The column of tokens and the column of tags: each the given one or, if the first row has a usual name for it, that one.
    pub(super) fn columns(&self, options: &ReadOptions, width: usize) -> Result<[Option<usize>; 2], Reason> {
        let one = |given: &Option<String>, names: &[&str]| match given {
            Some(column) => self.find(column, width).map(Some),
            None => Ok(self.header().and_then(|header| usual(names, header)).filter(|&index| index < width)),
        };
        Ok([one(&options.tokens_column, &TOKENS)?, one(&options.tags_column, &TAGS)?])
    }

    /// The index of a column that is given by its name or its number.
    fn find(&self, column: &str, width: usize) -> Result<usize, Reason> {
        let named = position(column, &self.names);
        named.filter(|&index| index < width).or_else(|| numbered(column, width)).ok_or_else(|| {
            let known = match self.names.is_empty() {
                true => "the columns of this file have no names".to_owned(),
                false => format!("the columns are {}", self.names.join(", ")),
            };
            format!("no column `{column}`: {known}; give a number from 1 to {width}")
        })
    }
}

/// Whether the first row holds the names that are given or, if none is given, usual names for both columns. It holds no tag then, and
/// no other row has its cell in the column of tags, because types may be called `label` too.
fn is_header<'r, 'a: 'r>(
    first: &[&str],
    mut others: impl Iterator<Item = &'r [&'a str]>,
    options: &ReadOptions,
) -> bool {
    if first.len() < 2 || first.iter().any(|cell| looks_like_tag(cell)) {
        return false;
    }
    let name = |given: &'_ Option<String>| given.clone().filter(|column| column.parse::<usize>().is_err());
    let given = [name(&options.tokens_column), name(&options.tags_column)];
    let [tokens, tags] = [(&given[0], &TOKENS[..]), (&given[1], &TAGS[..])].map(|(given, names)| match given {
        Some(name) => position(name, first),
        None => usual(names, first),
    });
    let found = match &given {
        [None, None] => tokens.is_some() && tags.is_some(),
        [Some(_), None] => tokens.is_some(),
        [None, Some(_)] => tags.is_some(),
        [Some(_), Some(_)] => tokens.is_some() && tags.is_some(),
    };
    let is_type = |row: &[&str]| row != first && tags.is_some_and(|tags| row.get(tags) == first.get(tags));
    found && !others.any(is_type)
}

/// The index of the first usual name.
fn usual(names: &[&str], header: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| position(name, header))
}
