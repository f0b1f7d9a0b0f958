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

    /// Whether a column holds ids that grow in each sentence, with gaps or without: `3`, `T7`, `2.5`. One row in ten may differ.
    pub(super) fn has_growing_ids(self, index: usize) -> bool {
        let (mut wrong, mut right, mut steps) = (0, 0, 0);
        let mut before: Option<&str> = None;
        for (starts, cells) in self.rows() {
            let cell = cells.get(index).copied().unwrap_or_default();
            let grows = !starts && before.is_some_and(|before| is_before(before, cell));
            match is_id(cell) && (starts || grows) {
                true => right += 1,
                false => wrong += 1,
            }
            // Most columns are none of ids, which shows long before the end.
            if wrong * 10 > self.lines.len() {
                return false;
            }
            steps += usize::from(grows);
            before = Some(cell);
        }
        steps > 0 && wrong * 9 <= right
    }

    /// Whether a column of several rows holds ids or numbers, in any order. One row in ten may differ.
    pub(super) fn has_ids(self, index: usize) -> bool {
        let (mut wrong, mut right) = (0, 0);
        for cell in self.column(index) {
            match is_id(cell) {
                true => right += 1,
                false => wrong += 1,
            }
            if wrong * 10 > self.lines.len() {
                return false;
            }
        }
        right > 1 && wrong * 9 <= right
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

/// Whether a cell can be an id: it ends with a digit.
fn is_id(cell: &str) -> bool {
    cell.ends_with(|last: char| last.is_ascii_digit())
}

/// Whether an id comes before another: the first number in which they differ is smaller, and the text before it is the same.
fn is_before(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one, other);
    loop {
        let (text, number, rest) = first_number(one);
        let (other_text, other_number, other_rest) = first_number(other);
        if number.is_empty() {
            // `8` comes before `8.1`.
            return text.is_empty() && !other.is_empty();
        }
        if text != other_text || other_number.is_empty() {
            return false;
        }
        let order = (number.len(), number).cmp(&(other_number.len(), other_number));
        match order {
            std::cmp::Ordering::Equal => (one, other) = (rest, other_rest),
            order => return order.is_lt(),
        }
    }
}

/// The text before the first number of an id, the number without zeros before it, and the rest. A number of zeros is `0`.
fn first_number(id: &str) -> (&str, &str, &str) {
    let digit = |letter: char| letter.is_ascii_digit();
    let start = id.find(digit).unwrap_or(id.len());
    let (text, rest) = id.split_at(start);
    let (digits, rest) = rest.split_at(rest.find(|letter| !digit(letter)).unwrap_or(rest.len()));
    let number = digits.trim_start_matches('0');
    (text, if number.is_empty() && !digits.is_empty() { "0" } else { number }, rest)
}

#[cfg(test)]
mod tests {
    use super::is_before;

    #[test]
    fn ids_are_ordered_by_their_numbers() {
        for (one, other) in
            [("3", "7"), ("9", "10"), ("T2", "T11"), ("1.9", "1.10"), ("8", "8.1"), ("1-1", "2-1"), ("007", "8")]
        {
            assert!(is_before(one, other) && !is_before(other, one), "{one} {other}");
        }
        for (one, other) in [("3", "3"), ("3", "03"), ("T1", "U2"), ("a", "b"), ("", "1"), ("0", "00")] {
            assert!(!is_before(one, other) || one.is_empty(), "{one} {other}");
        }
    }
}
