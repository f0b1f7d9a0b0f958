//! One thing to label.

use std::borrow::Cow;
use std::ops::Range;

use datasets::words::{WordSplitter, sentences};

/// A raw text or a list of words that is to be labelled.
///
/// ```
/// use hyperloader::label::Item;
/// assert_eq!(Item::words(&["fly", "to", "New York"]).text(), "fly to New York");
/// assert_eq!(Item::raw("fly  to\tRome").text(), "fly  to\tRome");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<'a> {
    text: Cow<'a, str>,
    /// The words as ranges of bytes; `None` if the labeller finds them.
    words: Option<Vec<Range<usize>>>,
    split_sentences: bool,
}

impl<'a> Item<'a> {
    /// A raw text, whose words the labeller's splitter finds.
    pub fn raw(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), words: None, split_sentences: false }
    }

    /// A list of words. Its text is the words joined by one blank, and offsets count in that.
    pub fn words<W: AsRef<str>>(words: &[W]) -> Self {
        let mut text = String::with_capacity(words.iter().map(|word| word.as_ref().len() + 1).sum());
        let mut ranges = Vec::with_capacity(words.len());
        for word in words {
            if !ranges.is_empty() {
                text.push(' ');
            }
            let start = text.len();
            text.push_str(word.as_ref());
            ranges.push(start..text.len());
        }
        Self { text: text.into(), words: Some(ranges), split_sentences: false }
    }

    /// Sets whether it is labelled sentence by sentence ([`sentences`]). Offsets and word numbers still count in the whole text.
    /// A word belongs to the sentence in which it begins. Default: no.
    #[must_use]
    pub fn split_sentences(self, split_sentences: bool) -> Self {
        Self { split_sentences, ..self }
    }

    /// The text, in which offsets count.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Finds words and sentences.
    pub(super) fn split(self, splitter: &WordSplitter) -> SplitText {
        let Self { text, words, split_sentences } = self;
        let words = words.unwrap_or_else(|| splitter.split(&text));
        let sentences = match split_sentences {
            true => grouped(&words, &sentences(&text)),
            false => Some(0..words.len()).filter(|words| !words.is_empty()).into_iter().collect(),
        };
        SplitText { text: text.into_owned(), words, sentences }
    }
}

/// A text, its words and its sentences.
#[derive(Debug)]
pub(super) struct SplitText {
    pub(super) text: String,
    /// The words as ranges of bytes.
    pub(super) words: Vec<Range<usize>>,
    /// The sentences as ranges of words. Together they are all words, and none is empty.
    pub(super) sentences: Vec<Range<usize>>,
}

impl SplitText {
    /// What the model reads for the words `range`.
    pub(super) fn read(&self, range: Range<usize>, splitter: &WordSplitter) -> Vec<String> {
        let words = self.words.get(range).unwrap_or_default().iter();
        words.map(|word| splitter.read(self.text.get(word.clone()).unwrap_or_default()).into_owned()).collect()
    }
}

/// The words of each sentence that has any. A word belongs to the sentence in which it begins.
fn grouped(words: &[Range<usize>], sentences: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut groups, mut next) = (Vec::new(), 0);
    for sentence in sentences {
        let rest = words.get(next..).unwrap_or_default();
        let count = rest.iter().take_while(|word| word.start < sentence.end).count();
        if count > 0 {
            groups.push(next..next + count);
        }
        next += count;
    }
    if next < words.len() {
        // Empty words at the very end begin after the last sentence.
        match groups.last_mut() {
            Some(last) => last.end = words.len(),
            None => groups.push(next..words.len()),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    #![allow(clippy::single_range_in_vec_init, reason = "lists of ranges")]
    use super::*;

    #[test]
    fn a_word_belongs_to_the_sentence_in_which_it_begins() {
        assert_eq!(grouped(&[0..2, 3..7, 8..9], &[0..5, 5..9]), [0..2, 2..3]);
        assert_eq!(grouped(&[4..5], &[0..3, 3..4, 4..6]), vec![0..1]);
        assert_eq!(grouped(&[], &[0..3]), Vec::<Range<usize>>::new());
        assert_eq!(grouped(&[0..0, 1..1], &[0..1]), vec![0..2], "words without characters");
        assert_eq!(grouped(&[0..0], &[]), vec![0..1]);
    }
}
