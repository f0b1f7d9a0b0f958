//! Long sentences as overlapping windows.

use std::ops::Range;

/// The most that one window holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Tokens of the words, each with the sentinel before it.
    pub(super) tokens: usize,
    /// Words.
    pub(super) words: usize,
}

/// The windows of a sentence whose words have `lengths` tokens, sentinels included.
///
/// Each window is as long as the limits allow and begins in the middle of the previous one. A word that is too long for any
/// window gets a separate window.
pub(super) fn windows(lengths: &[usize], limits: Limits) -> Vec<Range<usize>> {
    let mut windows = Vec::new();
    let mut start = 0;
    loop {
        let end = end(lengths, start, limits);
        windows.push(start..end);
        if end >= lengths.len() {
            return windows;
        }
        // The next window must end after this one: a long word may leave no room for an overlap.
        let middle = start + (end - start).div_ceil(2);
        start = (middle..end).find(|next| self::end(lengths, *next, limits) > end).unwrap_or(end);
    }
}

/// The end of the longest window that begins at `start`; it has at least one word.
fn end(lengths: &[usize], start: usize, limits: Limits) -> usize {
    let mut tokens = 0;
    let fits = |length: &&usize| {
        tokens += **length;
        tokens <= limits.tokens
    };
    let words = lengths.get(start..).unwrap_or_default().iter().take(limits.words).take_while(fits).count();
    (start + words.max(1)).min(lengths.len())
}

/// For each word of a sentence: the window in which the word is farthest from an edge, or the first of several such windows.
///
/// The beginning and the end of the sentence do not count as edges. The windows begin and end one after the other.
pub(super) fn owners(windows: &[Range<usize>], words: usize) -> Vec<usize> {
    let margin = |window: &Range<usize>, word: usize| {
        let left = if window.start == 0 { usize::MAX } else { word - window.start };
        let right = if window.end == words { usize::MAX } else { window.end - 1 - word };
        left.min(right)
    };
    // Few windows hold a word, and they follow each other.
    let mut first = 0;
    let owner = |word: usize| {
        while windows.get(first).is_some_and(|window| window.end <= word) {
            first += 1;
        }
        let holding = windows.iter().enumerate().skip(first).take_while(|(_, window)| window.start <= word);
        // Of windows with the same margin, `min_by_key` takes the first.
        holding.min_by_key(|(_, window)| std::cmp::Reverse(margin(window, word))).map_or(first, |(place, _)| place)
    };
    (0..words).map(owner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_window_begins_in_the_middle_of_the_one_before() {
        let found = windows(&[2; 25], Limits { tokens: 100, words: 10 });
        assert_eq!(found, [0..10, 5..15, 10..20, 15..25]);
        assert_eq!(windows(&[2; 25], Limits { tokens: 21, words: 90 }), found, "tokens count like words");
        assert_eq!(windows(&[2; 10], Limits { tokens: 20, words: 10 }), vec![0..10]);
        assert_eq!(windows(&[], Limits { tokens: 20, words: 10 }), vec![0..0]);
    }

    #[test]
    fn a_word_belongs_where_it_is_farthest_from_an_edge() {
        // Words 5..10 are in both windows: 5, 6 and 7 nearer to the second one's edge, 8 and 9 to the first one's.
        let owners = owners(&[0..10, 5..15], 15);
        assert_eq!(owners, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
    }

    proptest! {
        #[test]
        fn every_word_is_in_a_window_that_fits(
            lengths in prop::collection::vec(1usize..9, 0..80), tokens in 1usize..30, words in 1usize..12,
        ) {
            let limits = Limits { tokens, words };
            let found = windows(&lengths, limits);
            for (word, owner) in owners(&found, lengths.len()).into_iter().enumerate() {
                prop_assert!(found[owner].contains(&word));
            }
            for pair in found.windows(2) {
                prop_assert!(pair[0].start < pair[1].start && pair[1].start <= pair[0].end && pair[0].end < pair[1].end);
            }
            for window in found.iter().filter(|window| window.len() > 1) {
                prop_assert!(window.len() <= words && lengths[window.clone()].iter().sum::<usize>() <= tokens);
            }
        }
    }
}
