//! Recognizes the scheme of a corpus by all of its tags.

use super::convert::violations;
use super::names::TagScheme;
use super::roles::Raw;

/// The schemes that are compared where a letter other than `B` and `I` occurs. In a tie the first is taken.
const MARKED: [TagScheme; 6] =
    [TagScheme::Iob2, TagScheme::Iob1, TagScheme::Bioes, TagScheme::Bilou, TagScheme::Bmewo, TagScheme::Bmes];

/// With fewer tokens of bare types, they are taken for mistakes.
const ENOUGH_BARE: usize = 2;

/// Counts of one pass over all tags.
#[derive(Default)]
struct Evidence {
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
}

/// The scheme of the tags of all sentences: the one whose rules are broken least often.
///
/// - Only `B-` and `I-`: `iob1` if more spans begin with `I-` than with a `B-` that `iob1` would not write; `io` if there
///   is no `B-` at all; otherwise `iob2`.
/// - Other letters: the scheme with the fewest tags that break its rules; in a tie the first of iob2, iob1, bioes, bilou,
///   bmewo, bmes.
/// - No letters: `bare` if there is an `O` and at least two tokens have a type.
/// - Otherwise `iob2`, whose rules then say what is wrong.
pub(crate) fn recognize<'a, S: AsRef<str> + 'a>(sentences: impl Iterator<Item = &'a [S]> + Clone) -> TagScheme {
    let mut evidence = Evidence::default();
    for tags in sentences.clone() {
        evidence.add(tags);
    }
    let Evidence { outside, free_begin, next_begin, free_inside, other_letters, bare, bare_words } = evidence;
    let letters = free_begin + next_begin + free_inside;
    match () {
        () if letters == 0 && outside > 0 && bare >= ENOUGH_BARE && bare_words > 0 => TagScheme::Bare,
        () if other_letters > 0 => {
            let broken = |scheme: &TagScheme| sentences.clone().map(|tags| violations(*scheme, tags)).sum::<usize>();
            MARKED.into_iter().min_by_key(broken).unwrap_or_default()
        }
        () if free_inside > free_begin && free_begin + next_begin == 0 => TagScheme::Io,
        () if free_inside > free_begin => TagScheme::Iob1,
        () => TagScheme::Iob2,
    }
}

impl Evidence {
    fn add<S: AsRef<str>>(&mut self, tags: &[S]) {
        let mut before = None;
        for tag in tags {
            let raw = Raw::of(tag.as_ref());
            let (letter, kind) = match raw {
                Raw::Marked(letter, kind) => (letter, Some(kind)),
                _ => (b'O', None),
            };
            match (raw, letter, kind == before) {
                (Raw::Outside, ..) => self.outside += 1,
                (Raw::Bare(word), ..) => {
                    self.bare += 1;
                    self.bare_words += usize::from(word.len() > 1);
                }
                (Raw::Marked(..), b'B', false) => self.free_begin += 1,
                (Raw::Marked(..), b'B', true) => self.next_begin += 1,
                (Raw::Marked(..), b'I', false) => self.free_inside += 1,
                (Raw::Marked(..), b'I', true) | (Raw::Malformed, ..) => {}
                (Raw::Marked(..), ..) => self.other_letters += 1,
            }
            before = kind;
        }
    }
}
