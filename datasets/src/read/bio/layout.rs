//! Decides which column of a file holds the tokens, and which the tags.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{Table, is_partial};
use super::rows::{Line, Row};
use crate::labels::Tag;
use crate::read::check::Reason;
use crate::read::columns::{Columns, numbered};
use crate::read::options::ReadOptions;

/// The start of the comment in which CoNLL-U Plus names the columns.
const NAMES: &str = "global.columns";

/// The types of chunks in CoNLL-2000 and 2003.
const CHUNKS: [&str; 14] =
    ["NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "NC", "VC", "PC"];

/// The number of the columns of a file, and which of them are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout<'a> {
    pub(super) width: usize,
    pub(super) token: usize,
    pub(super) tag: usize,
    /// Whether tabs separate the columns.
    tabs: bool,
    /// Whether the first column numbers the tokens.
    counts: bool,
    /// The number of rows at the start that name the columns.
    pub(super) header: usize,
    /// Tags without a letter that lines without `#` have.
    bare: BTreeSet<&'a str>,
    /// What a person should know about the choice.
    pub(super) notes: Vec<String>,
}

impl<'a> Layout<'a> {
    /// The layout of most lines; `None` if they have one column.
    ///
    /// The tag is in the first or in the last column: the one that looks like a tag more often. If both do so equally
    /// often it is the last, as in all corpora except those of MIT. The token is next to a first tag, and otherwise in
    /// the first column that neither counts nor names the sentence.
    ///
    /// # Errors
    /// If the options name a column that the file does not have.
    pub(super) fn of(lines: &[Line<'a>], options: &ReadOptions) -> Result<Option<Self>, Reason> {
        let Some((width, hashes)) = width(lines) else {
            return Ok(None);
        };
        let names = Names::of(lines, options);
        let table = Table { lines, width, hashes, skip: usize::from(names.in_first_row) };
        let given = |column: Option<&str>| column.map(|column| names.find(column, width)).transpose();
        let (token, tag) = (given(options.tokens_column.as_deref())?, given(options.tags_column.as_deref())?);
        if token.is_some() && token == tag {
            return Err("tokens_column and tags_column are the same column".to_owned());
        }
        let rows: Vec<&Row<'_>> = lines.iter().filter_map(|line| token_row(line, hashes)).collect();
        let tabs = rows.iter().any(|row| row.tabs && row.cells.len() == width);
        let mut layout = Self {
            width,
            token: 0,
            tag: 0,
            tabs,
            counts: false,
            header: table.skip,
            bare: BTreeSet::new(),
            notes: Vec::new(),
        };
        if names.in_first_row {
            layout.notes.push("the first line names the columns".to_owned());
        }
        layout.tag = tag.unwrap_or_else(|| layout.find_tag(table));
        layout.token = token.unwrap_or_else(|| layout.find_token(table));
        if tag.is_none() && token.is_none() {
            layout.prefer_outer_tags(table);
        }
        layout.counts = width > 2 && layout.token > 0 && layout.tag > 0 && table.counts(0);
        if lines.iter().any(|line| matches!(line, Line::Hash(_))) {
            layout.bare = table.column(layout.tag).filter(|tag| Tag::parse(tag).is_err()).collect();
        }
        Ok(Some(layout))
    }

    fn find_tag(&mut self, table: Table<'_, '_>) -> usize {
        let last = self.width - 1;
        let (first_tags, last_tags) = (table.tags(0), table.tags(last));
        let rows = table.len();
        if first_tags.max(last_tags) * 2 < rows
            && let Some(inner) = (1..last).rev().find(|&column| table.tags(column) == rows)
        {
            self.notes.push(format!("only column {} holds tags", inner + 1));
            return inner;
        }
        if first_tags > last_tags { 0 } else { last }
    }

    fn find_token(&mut self, table: Table<'_, '_>) -> usize {
        if self.tag == 0 {
            return 1;
        }
        let mut token = 0;
        while token + 1 < self.tag {
            let why = match () {
                () if table.counts(token) => "counts the tokens",
                () if table.names_sentences(token) => "names the sentence",
                () if table.tags(token) == table.len() => "holds tags",
                () => break,
            };
            token += 1;
            self.notes.push(format!("column {token} {why} and is not read"));
        }
        token
    }

    /// After a column that counts, two columns of tags are outer and inner spans, as in GermEval, unless the first has chunks.
    fn prefer_outer_tags(&mut self, table: Table<'_, '_>) {
        let outer = self.width.saturating_sub(2);
        if self.token == 0 || self.token + 1 != outer || self.tag != outer + 1 || table.tags(outer) != table.len() {
            return;
        }
        let mut kinds = table.column(outer).filter_map(|tag| tag.get(2..));
        if !kinds.all(|kind| CHUNKS.contains(&kind)) {
            self.notes.push(format!("columns {} and {} hold tags, the outer ones are read", outer + 1, outer + 2));
            self.tag = outer;
        }
    }

    /// The word and the tag of a row of the right width.
    pub(super) fn word_and_tag(&self, cells: &[&'a str]) -> Option<(&'a str, &'a str)> {
        let fits = cells.len() == self.width;
        fits.then(|| Some((*cells.get(self.token)?, *cells.get(self.tag)?)))?
    }

    /// Whether a row that could be a comment is a token: it has the columns of the others, and a tag in the tag column.
    pub(super) fn is_token(&self, row: &Row<'a>) -> bool {
        let fits = row.tabs == self.tabs && !self.counts;
        let tag = self.word_and_tag(&row.cells).map(|(_, tag)| tag);
        fits && tag.is_some_and(|tag| Tag::parse(tag).is_ok() || self.bare.contains(tag))
    }

    /// Whether a row belongs to no token although it has the right columns.
    pub(super) fn passes_over(&self, row: &Row<'_>) -> bool {
        self.counts && row.cells.first().is_some_and(|id| is_partial(id))
    }

    /// The decision for a person.
    pub(super) fn described(&self) -> String {
        let notes: Vec<String> = self.notes.iter().map(|note| format!(", {note}")).collect();
        format!("columns: tokens {}, tags {} of {}{}", self.token + 1, self.tag + 1, self.width, notes.concat())
    }
}

fn token_row<'f, 'a>(line: &'f Line<'a>, hashes: bool) -> Option<&'f Row<'a>> {
    match line {
        Line::Token(row) if !hashes => Some(row),
        Line::Hash(row) if hashes => Some(row),
        _ => None,
    }
}

/// The most frequent number of columns, two or more, and whether only lines with `#` have it.
fn width(lines: &[Line<'_>]) -> Option<(usize, bool)> {
    [false, true].into_iter().find_map(|hashes| {
        let mut widths = BTreeMap::<usize, usize>::new();
        for row in lines.iter().filter_map(|line| token_row(line, hashes)) {
            *widths.entry(row.cells.len()).or_default() += 1;
        }
        let (&width, _) = widths.iter().filter(|(width, _)| **width >= 2).max_by_key(|(_, n)| **n)?;
        Some((width, hashes))
    })
}

/// The names of the columns, if the file has them.
struct Names<'a> {
    names: Vec<&'a str>,
    in_first_row: bool,
}

impl<'a> Names<'a> {
    /// Names in a comment of CoNLL-U Plus, or in the first row: one that holds the names that are given or, if none are
    /// given, usual ones.
    fn of(lines: &[Line<'a>], options: &ReadOptions) -> Self {
        let named = lines.iter().find_map(|line| match line {
            Line::Hash(row) => row.cells.iter().position(|cell| cell.contains(NAMES)).map(|at| (row, at + 1)),
            _ => None,
        });
        if let Some((row, at)) = named {
            let names = row.cells.get(at..).unwrap_or_default().iter().copied().filter(|name| *name != "=").collect();
            return Self { names, in_first_row: false };
        }
        let first = lines.iter().find_map(|line| token_row(line, false));
        let cells = first.map_or(&[][..], |row| row.cells.as_slice());
        match Columns::find(cells, options) {
            Ok(found) if cells.get(found.tags).is_some_and(|name| Tag::parse(name).is_err()) && is_named(options) => {
                Self { names: cells.to_vec(), in_first_row: true }
            }
            _ => Self { names: Vec::new(), in_first_row: false },
        }
    }

    /// The index of a column that is given by its name or its number.
    fn find(&self, column: &str, width: usize) -> Result<usize, Reason> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(column));
        named.filter(|&index| index < width).or_else(|| numbered(column, width)).ok_or_else(|| {
            let known = match self.names.is_empty() {
                true => "the columns of this file have no names".to_owned(),
                false => format!("the columns are {}", self.names.join(", ")),
            };
            format!("no column `{column}`: {known}; give a number from 1 to {width}")
        })
    }
}

/// Whether the options leave the choice of columns open, or make it by name.
fn is_named(options: &ReadOptions) -> bool {
    let number = |column: &Option<String>| column.as_ref().is_some_and(|column| column.parse::<usize>().is_ok());
    !number(&options.tokens_column) && !number(&options.tags_column)
}
