//! Sentences by Unicode's boundaries.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// What is no letter and no digit after a full stop ends the sentence, if there is more of it than this.
///
/// Whether a full stop ends a sentence depends on the next letter, which `unicode-segmentation` looks for again at each of these
/// characters: without a limit, forty thousand brackets take a minute.
const MOST_AFTER_STOP: usize = 16;

/// The sentences of `text` as ranges of bytes that follow each other without gaps (UAX 29, without a list of abbreviations).
///
/// A line end always ends a sentence, and so does a full stop that more than 16 blanks, brackets or signs follow.
///
/// ```
/// use datasets::words::sentences;
/// let text = "Is it 3.5? Yes.";
/// let found: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
/// assert_eq!(found, ["Is it 3.5? ", "Yes."]);
/// ```
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let (mut sentences, mut start) = (Vec::new(), 0);
    for end in cuts(text).into_iter().chain([text.len()]) {
        let part = text.get(start..end).unwrap_or_default();
        let place = |(at, sentence): (usize, &str)| start + at..start + at + sentence.len();
        sentences.extend(part.split_sentence_bound_indices().map(place));
        start = end;
    }
    sentences
}

/// Where the text after a full stop has no letter and no digit for too long.
fn cuts(text: &str) -> Vec<usize> {
    let (mut cuts, mut after_stop) = (Vec::new(), None);
    for (at, character) in text.char_indices() {
        after_stop = match (character, after_stop) {
            // The full stops of UAX 29 (ATerm).
            ('.' | '\u{2024}' | '\u{fe52}' | '\u{ff0e}', _) => Some(0),
            (_, Some(MOST_AFTER_STOP)) => {
                cuts.push(at);
                None
            }
            (_, Some(number)) if !character.is_alphanumeric() => Some(number + 1),
            _ => None,
        };
    }
    cuts
}
