//! Detects which column of a BIO file holds the tag.

use std::collections::BTreeMap;

use crate::labels::Tag;

/// The number and order of the columns of a BIO file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BioLayout {
    pub(super) columns: usize,
    tag_first: bool,
}

/// The columns of a line, separated by tabs if the line has one and by blanks otherwise.
pub(super) fn columns(line: &str) -> Vec<&str> {
    if line.contains('\t') {
        line.split('\t').map(str::trim).collect()
    } else {
        line.split_ascii_whitespace().collect()
    }
}

impl BioLayout {
    /// The layout of most rows: the most frequent number of columns, with the tag in the first or the last column,
    /// depending on which of them looks like a tag more often. Words may look like tags too (`O`). If both columns
    /// do so equally often, the tag is last, as in all corpora except those of MIT.
    pub(super) fn of<'a>(rows: impl Iterator<Item = &'a [&'a str]> + Clone) -> Option<Self> {
        let mut widths = BTreeMap::<usize, usize>::new();
        for row in rows.clone() {
            *widths.entry(row.len()).or_default() += 1;
        }
        let (&columns, _) = widths.iter().filter(|(width, _)| **width >= 2).max_by_key(|(_, n)| **n)?;
        let (mut first, mut last) = (0_usize, 0_usize);
        for row in rows.filter(|row| row.len() == columns) {
            first += usize::from(row.first().is_some_and(|cell| is_tag(cell)));
            last += usize::from(row.last().is_some_and(|cell| is_tag(cell)));
        }
        Some(Self { columns, tag_first: first > last })
    }

    /// The word and the tag of a row of the right width.
    pub(super) fn word_and_tag<'a>(&self, row: &[&'a str]) -> Option<(&'a str, &'a str)> {
        let (&first, &last) = (row.first()?, row.last()?);
        match (row.len() == self.columns, self.tag_first) {
            (false, _) => None,
            // The word comes next to a first tag (`tag word …`), and first otherwise (`word … tag`).
            (true, true) => Some((*row.get(1)?, first)),
            (true, false) => Some((first, last)),
        }
    }

    /// Whether a row that could be a comment is a token: it has the right width, and a tag in the tag column.
    pub(super) fn is_token(&self, row: &[&str]) -> bool {
        self.word_and_tag(row).is_some_and(|(_, tag)| is_tag(tag))
    }
}

fn is_tag(cell: &str) -> bool {
    Tag::parse(cell).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(text: &str) -> Option<BioLayout> {
        let rows: Vec<Vec<&str>> = text.lines().map(columns).collect();
        BioLayout::of(rows.iter().map(Vec::as_slice))
    }

    fn found(columns: usize, tag_first: bool) -> Option<BioLayout> {
        Some(BioLayout { columns, tag_first })
    }

    #[test]
    fn the_column_that_always_holds_tags_is_the_tag_column() {
        assert_eq!(layout("O\tfly\nB-city\tO"), found(2, true));
        assert_eq!(layout("fly O\nO B-city"), found(2, false));
        assert_eq!(layout("EU NNP B-NP B-ORG\nrejects VBZ B-VP O"), found(4, false));
    }

    #[test]
    fn one_bad_row_does_not_change_the_layout() {
        assert_eq!(layout("O\tfly\nB-city\trome\nPER\tO\nO\tto"), found(2, true));
        assert_eq!(layout("a O\nb c O\nd O"), found(2, false));
    }

    #[test]
    fn where_both_columns_look_like_tags_the_last_is_taken() {
        assert_eq!(layout("O O"), found(2, false));
    }

    #[test]
    fn words_alone_have_no_layout() {
        assert_eq!(layout("one\ntwo"), None);
    }
}
