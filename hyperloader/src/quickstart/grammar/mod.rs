//! The quickstart's corpus: three sequence-labelling tasks from grammars of our own, nothing downloaded.
//!
//! A [`TaskGrammar`] is three lists of patterns: sentences, the values of each slot, and lexicons that tasks share.
//! A pattern is written
//!
//! | form | means |
//! |---|---|
//! | `word` | the word |
//! | `a b\|c` | `a b` or `c`, equally often (an alternative written twice comes twice as often) |
//! | `(a\|b) c` | a choice inside a sequence |
//! | `[a]` | `a` or nothing, equally often |
//! | `<city>` | a value of the lexicon `city` |
//! | `{origin}` | a value of the slot `origin`: its words are tagged `B-origin I-origin …`, all others `O` |
//!
//! The tasks share their lexicons, and one lexicon fills several slots: a city is an origin, a destination or a
//! stopover, and the surname `stone` is also a word of film titles. Which it is, only the context says.
//! Every slot is named by a word that the sentences use too, so that a model pretrained on the sentences alone
//! has met the words that it must write as tags.
//!
//! ```
//! use hyperloader::quickstart::grammar::{Split, TaskGrammar, generate};
//!
//! let task = TaskGrammar {
//!     name: "greetings",
//!     sentences: &["(hello|good morning) {guest}"],
//!     slots: &[("guest", "<first> stone")],
//!     lexicons: &[("first", "anna|ben")],
//! };
//! let train = generate(&task, Split::Train.seed(42), 100)?;
//! assert_eq!(train.len(), 100);
//! assert!(train[0].tags.ends_with(&["B-guest".to_owned(), "I-guest".to_owned()]));
//! # Ok::<(), hyperloader::Error>(())
//! ```

mod generate;
mod home;
mod lexicons;
mod media;
mod parse;
mod pattern;
mod split;
mod task;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests;
mod travel;

pub use generate::generate;
pub use split::Split;
pub use task::{Rule, TaskGrammar};

/// The three tasks: `travel`, `home` and `media`.
#[must_use]
pub fn tasks() -> &'static [TaskGrammar] {
    &[travel::TASK, home::TASK, media::TASK]
}
