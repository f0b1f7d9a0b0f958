//! Recognizes the scheme of a corpus by all of its tags.

use super::convert::violations;
use super::names::TagScheme;
use super::roles::{Raw, is_letter};

/// The schemes that are compared where a letter other than `B` and `I` occurs. In a tie the first is taken.
const MARKED: [TagScheme; 6] =
    [TagScheme::Iob2, TagScheme::Iob1, TagScheme::Bioes, TagScheme::Bilou, TagScheme::Bmewo, TagScheme::Bmes];

/// With fewer tokens of bare types, they are taken for mistakes.
const ENOUGH_BARE: usize = 2;

/// Counts of one pass over all tags.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    outside: usize,
    /// `B-X` that follows no token of type X: wrong in `iob1`.
    free_begin: usize,
    /// `B-X` after a token of type X: right in `iob1` and `iob2`.
    next_begin: usize,
    /// `I-X` that follows no token of type X: wrong in `iob2`.
    free_inside: usize,
    /// Tags with another letter.
    other_letters: usize,
    bare: usize,
    /// Bare tags that are more than the letter of a tag whose type is missing.
    bare_words: usize,
    malformed: usize,
}

impl Evidence {
    /// Spans, and tags that break a rule, if every tag is one of IOB2.
    pub(crate) fn counts_as_iob2(&self) -> Option<(usize, usize)> {
        let plain = self.other_letters + self.bare + self.malformed == 0;
        plain.then_some((self.free_begin + self.next_begin + self.free_inside, self.free_inside))
    }

    /// The scheme of the tags: the one whose rules are broken least often.
    ///
    /// - Only `B-` and `I-`: `iob1` if more spans begin with `I-` than with a `B-` that `iob1` would not write; `io` if
    ///   there is no `B-` at all; otherwise `iob2`.
    /// - Other letters: the scheme with the fewest tags that break its rules; in a tie the first of iob2, iob1, bioes,
    ///   bilou, bmewo, bmes.
    /// - No letters: `bare` if there is an `O` and at least two tokens have a type.
    /// - Otherwise `iob2`, whose rules then say what is wrong.
    pub(crate) fn scheme<'a, S: AsRef<str> + 'a>(&self, sentences: impl Iterator<Item = &'a [S]> + Clone) -> TagScheme {
        let begins = self.free_begin + self.next_begin;
        let letters = begins + self.free_inside;
        match () {
            () if letters == 0 && self.outside > 0 && self.bare >= ENOUGH_BARE && self.bare_words > 0 => {
                TagScheme::Bare
            }
            () if self.other_letters > 0 => {
                let broken =
                    |scheme: &TagScheme| sentences.clone().map(|tags| violations(*scheme, tags)).sum::<usize>();
                MARKED.into_iter().min_by_key(broken).unwrap_or_default()
            }
            () if self.free_inside > self.free_begin && begins == 0 => TagScheme::Io,
            () if self.free_inside > self.free_begin => TagScheme::Iob1,
            () => TagScheme::Iob2,
        }
    }

    /// What the tags of all sentences show.
    pub(crate) fn of<'a, S: AsRef<str> + 'a>(sentences: impl Iterator<Item = &'a [S]>) -> Self {
        let mut evidence = Self::default();
        sentences.for_each(|tags| evidence.add(tags));
        evidence
    }

    /// Whether no tag has a letter in the usual notation, and some have none at all.
    pub(crate) fn is_bare(&self) -> bool {
        let letters = self.free_begin + self.next_begin + self.free_inside + self.other_letters;
        self.bare > 0 && letters + self.malformed == 0
    }

    /// Adds the tags of a sentence.
    pub(crate) fn add<S: AsRef<str>>(&mut self, tags: &[S]) {
        let mut before = None;
        for tag in tags {
            let mut kind = None;
            match Raw::of(tag.as_ref()) {
                Raw::Outside => self.outside += 1,
                Raw::Bare(word) => {
                    self.bare += 1;
                    self.bare_words += usize::from(!is_letter(word));
                }
                Raw::Malformed => self.malformed += 1,
                Raw::Marked(letter, found) => {
                    kind = Some(found);
                    match (letter, kind == before) {
                        (b'B', false) => self.free_begin += 1,
                        (b'B', true) => self.next_begin += 1,
                        (b'I', false) => self.free_inside += 1,
                        (b'I', true) => {}
                        _ => self.other_letters += 1,
                    }
                }
            }
            before = kind;
        }
    }
}

/// The scheme of the tags of all sentences.
pub(crate) fn recognize<'a, S: AsRef<str> + 'a>(sentences: impl Iterator<Item = &'a [S]> + Clone) -> TagScheme {
    Evidence::of(sentences.clone()).scheme(sentences)
}
