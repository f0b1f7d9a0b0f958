//! What the columns of a file hold: tags, numbers that count, or the name of the sentence.

use super::rows::Line;
use crate::labels::looks_like_tag;

/// The lines of a file that have the usual number of columns.
#[derive(Clone, Copy)]
pub(super) struct Table<'f, 'a> {
    pub(super) lines: &'f [Line<'a>],
    pub(super) width: usize,
    /// Whether lines that begin with `#` are the tokens, because there are no others.
    pub(super) hashes: bool,
    /// The number of rows at the start that are no tokens.
    pub(super) skip: usize,
}

impl<'f, 'a> Table<'f, 'a> {
    /// The rows, with whether each begins a sentence.
    fn rows(self) -> impl Iterator<Item = (bool, &'f [&'a str])> {
        let mut starts = true;
        let rows = self.lines.iter().filter_map(move |line| match line {
            Line::Break => {
                starts = true;
                None
            }
            Line::Token(row) if !self.hashes => Some((std::mem::take(&mut starts), row.cells.as_slice())),
            Line::Hash(row) if self.hashes => Some((std::mem::take(&mut starts), row.cells.as_slice())),
            _ => None,
        });
        rows.skip(self.skip).filter(move |(_, cells)| cells.len() == self.width)
    }

    /// The cells of a column.
    pub(super) fn column(self, index: usize) -> impl Iterator<Item = &'a str> {
        self.rows().filter_map(move |(_, cells)| cells.get(index).copied())
    }

    /// The number of rows.
    pub(super) fn len(self) -> usize {
        self.rows().count()
    }

    /// The number of cells in a column that look like tags.
    pub(super) fn tags(self, index: usize) -> usize {
        self.column(index).filter(|cell| looks_like_tag(cell)).count()
    }

    /// Whether a column numbers the tokens: 1, 2, 3, … in each sentence or through the file. One row in ten may differ.
    pub(super) fn counts(self, index: usize) -> bool {
        let (mut right, mut all) = (0, 0);
        let mut before = None;
        let mut started = false;
        for (starts, cells) in self.rows() {
            let cell = cells.get(index).copied().unwrap_or_default();
            // A sentence may begin with a word of two tokens: `1-2`, then `1`.
            let starts = std::mem::take(&mut started) || starts;
            if is_partial(cell) {
                started = starts;
                continue;
            }
            let number = cell.parse::<u64>().ok();
            let follows = before.is_some() && number == before || starts && number.is_some_and(|number| number <= 1);
            right += usize::from(follows);
            all += 1;
            before = number.and_then(|number| number.checked_add(1));
        }
        all > 0 && right * 10 >= all * 9
    }

    /// Whether a column has one value in each sentence: the name of the sentence or of the document. One sentence of two
    /// tokens is not enough to know.
    pub(super) fn names_sentences(self, index: usize) -> bool {
        let (mut repeated, mut sentences) = (0, 0);
        let mut before = None;
        for (starts, cells) in self.rows() {
            let cell = cells.get(index).copied();
            match starts {
                true => sentences += 1,
                false if cell != before => return false,
                false => repeated += 1,
            }
            before = cell;
        }
        repeated >= 2 && sentences <= repeated
    }
}

/// Whether a number in CoNLL-U belongs to no token: `3-4` for a word that the next two lines split, `8.1` for a word that
/// is not written.
pub(super) fn is_partial(cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    cell.split_once(['-', '.']).is_some_and(|(first, last)| digits(first) && digits(last))
}
