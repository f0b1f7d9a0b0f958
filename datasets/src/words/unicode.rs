//! Words by Unicode's boundaries.

use std::ops::Range;

use regex_syntax::hir::{Class, HirKind};
use unicode_segmentation::UnicodeSegmentation;

use super::splitter::between_white_space;
use crate::error::{Error, Result};

/// The characters that are words of their own, although nothing separates them. Scripts that are written without blanks and
/// whose characters often are words.
///
/// The extensions of Katakana hold the sign that lengthens a vowel in it. Hangul is not here: Korean puts blanks between words,
/// and tags are for those. Thai, Lao, Khmer and Burmese need no place here: they have no blanks, and without a dictionary UAX 29
/// splits them into characters.
const PATTERN: &str = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Script_Extensions=Katakana}]";

/// The first character that could be one of them.
const FIRST: char = '\u{2e80}';

/// Characters that are words of their own, as sorted ranges.
#[derive(Debug, Clone)]
pub(super) struct Ideographs(Vec<(char, char)>);

impl Ideographs {
    pub(super) fn new() -> Result<Self> {
        let wrong = |reason: String| Error::Invalid(format!("the tables of scripts cannot be used: {reason}"));
        let hir = regex_syntax::parse(PATTERN).map_err(|error| wrong(error.to_string()))?;
        match hir.kind() {
            HirKind::Class(Class::Unicode(class)) => {
                Ok(Self(class.iter().map(|range| (range.start(), range.end())).collect()))
            }
            _ => Err(wrong("they are no class of characters".to_owned())),
        }
    }

    /// The words of `text` as ranges of bytes.
    ///
    /// White space is never part of a word. Between white space, a word ends at each word boundary that is also the end of a
    /// grapheme cluster, and before and after each cluster of these characters.
    pub(super) fn words(&self, text: &str) -> Vec<Range<usize>> {
        let mut words = Vec::new();
        for Range { start, end } in between_white_space(text) {
            let part = text.get(start..end).unwrap_or_default();
            if part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                words.push(start..end);
            } else {
                self.cut(part, start, &mut words);
            }
        }
        words
    }

    /// Appends the words of `part`, which has no white space and begins at `offset`.
    fn cut(&self, part: &str, offset: usize, words: &mut Vec<Range<usize>>) {
        let mut boundaries = part.split_word_bound_indices().map(|(at, _)| at).peekable();
        let mut after_one = false;
        for (at, cluster) in part.grapheme_indices(true) {
            while boundaries.next_if(|boundary| *boundary < at).is_some() {}
            let is_one = cluster.chars().next().is_some_and(|first| self.contains(first));
            let begins = is_one || after_one || boundaries.peek() == Some(&at);
            let (start, end) = (offset + at, offset + at + cluster.len());
            match words.last_mut() {
                Some(word) if !begins => word.end = end,
                _ => words.push(start..end),
            }
            after_one = is_one;
        }
    }

    fn contains(&self, character: char) -> bool {
        let side = |&(first, last): &(char, char)| match () {
            () if last < character => std::cmp::Ordering::Less,
            () if first > character => std::cmp::Ordering::Greater,
            () => std::cmp::Ordering::Equal,
        };
        character >= FIRST && self.0.binary_search_by(side).is_ok()
    }
}
