//! Offsets in bytes and in characters (Unicode code points).

use std::ops::Range;

/// The ranges of bytes `ranges` of `text` as ranges of characters. They are sorted and do not overlap.
pub(super) fn of_bytes(text: &str, ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    if text.is_ascii() {
        return ranges.to_vec();
    }
    let (mut byte, mut character) = (0, 0);
    let mut count = |to: usize| {
        character += text.get(byte..to).unwrap_or_default().chars().count();
        byte = to;
        character
    };
    ranges.iter().map(|range| count(range.start)..count(range.end)).collect()
}

/// The ranges of characters `ranges` of `text` as ranges of bytes. They are sorted and do not overlap; what is after the end of the
/// text is at its end.
pub(crate) fn to_bytes(text: &str, ranges: impl IntoIterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let (mut byte, mut character) = (0, 0);
    let mut find = |to: usize| {
        let rest = text.get(byte..).unwrap_or_default();
        let skipped = to.saturating_sub(character);
        byte += rest.char_indices().nth(skipped).map_or(rest.len(), |(at, _)| at);
        character = to.max(character);
        byte
    };
    ranges.into_iter().map(|range| find(range.start)..find(range.end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_characters_are_counted_apart() {
        let text = "é 日本 x";
        assert_eq!(of_bytes(text, &[0..2, 3..6, 6..9, 10..11]), [0..1, 2..3, 3..4, 5..6]);
        assert_eq!(to_bytes(text, [0..1, 2..3, 3..4, 5..6]), [0..2, 3..6, 6..9, 10..11]);
        assert_eq!(to_bytes(text, [5..9, 12..13]), [10..11, 11..11]);
    }
}
