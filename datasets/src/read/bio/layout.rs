//! Decides which column of a file holds the tokens, and which the tags.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{Table, is_partial};
use super::names::Names;
use super::rows::{Line, Row};
use crate::labels::Tag;
use crate::read::check::Reason;
use crate::read::options::ReadOptions;

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
    /// The cells of the first row, if they name the columns.
    header: Option<Vec<&'a str>>,
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
        let header = names.header().map(<[_]>::to_vec);
        let table = Table { lines, width, hashes, skip: usize::from(header.is_some()) };
        let [token, tag] = names.columns(options, width)?;
        if token.is_some() && token == tag {
            return Err("tokens_column and tags_column are the same column".to_owned());
        }
        let rows: Vec<&Row<'_>> = lines.iter().filter_map(|line| token_row(line, hashes)).collect();
        let tabs = rows.iter().any(|row| row.tabs && row.cells.len() == width);
        let mut layout =
            Self { width, token: 0, tag: 0, tabs, counts: false, header, bare: BTreeSet::new(), notes: Vec::new() };
        if layout.header.is_some() {
            layout.notes.push("the first line names the columns".to_owned());
        }
        layout.tag = tag.unwrap_or_else(|| layout.find_tag(table, token));
        layout.token = token.unwrap_or_else(|| layout.find_token(table));
        if tag.is_none() && token.is_none() {
            layout.prefer_outer_tags(table);
        }
        if token.is_none() {
            layout.doubt_ids(table);
        }
        layout.counts = width > 2 && layout.token > 0 && layout.tag > 0 && table.counts(0);
        if lines.iter().any(|line| matches!(line, Line::Hash(_))) {
            layout.bare = table.column(layout.tag).filter(|tag| Tag::parse(tag).is_err()).collect();
        }
        Ok(Some(layout))
    }

    /// The column of tags, which is not the column of tokens if that is given.
    fn find_tag(&mut self, table: Table<'_, '_>, token: Option<usize>) -> usize {
        let last = self.width - 1;
        let free = |column: &usize| token != Some(*column);
        let [first_tags, last_tags] = [0, last].map(|column| if free(&column) { table.tags(column) } else { 0 });
        let rows = table.len();
        if first_tags.max(last_tags) * 2 < rows
            && let Some(inner) = (1..last).rev().filter(free).find(|&column| table.tags(column) == rows)
        {
            self.notes.push(format!("only column {} holds tags", inner + 1));
            return inner;
        }
        if first_tags > last_tags || !free(&last) { 0 } else { last }
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
                () if table.has_growing_ids(token) => "numbers the tokens",
                () => break,
            };
            token += 1;
            self.notes.push(format!("column {token} {why} and is not read"));
        }
        token
    }

    /// Says that the column of tokens may be one of ids or numbers, in no order.
    fn doubt_ids(&mut self, table: Table<'_, '_>) {
        if table.has_ids(self.token) {
            let column = self.token + 1;
            self.notes.push(format!(
                "column {column} is taken as the tokens although it holds numbers or ids: if another column has the words, \
                 give it as tokens_column"
            ));
        }
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

    /// Whether a row names the columns.
    pub(super) fn is_header(&self, row: &Row<'_>) -> bool {
        self.header.as_ref().is_some_and(|header| *header == row.cells)
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
