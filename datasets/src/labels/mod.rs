//! From BIO tags to the words a text-to-text model writes, and back.
//!
//! T5 writes one word per token. [`simplify`] turns BIO into *sBIO* (Raman et al. 2022, "Transforming
//! sequence tagging into a seq2seq task"): `B-X` becomes `X`, every `I-X` becomes `I`, `O` stays `O`. A
//! model then has one word per type and cannot contradict itself inside a span. [`restore`] turns sBIO back
//! into BIO and accepts any text that a model may write. [`TagWords`] renames types to words that a model
//! knows better. [`TagMap`] turns many types into one. [`TagSet`] lists the tags of a corpus, and so the words that a decoder may write.
//!
//! ```
//! use datasets::labels;
//!
//! let tags = ["O", "B-city", "I-city", "B-city"];
//! assert_eq!(labels::simplify(&tags)?, ["O", "city", "I", "city"]);
//! assert_eq!(labels::decode("O city I city", 4), tags);
//! # Ok::<(), datasets::Error>(())
//! ```

mod scheme;
mod simplify;
mod tag;
mod tag_map;
mod tag_set;
mod tag_words;

pub(crate) use scheme::{Evidence, looks_like_tag, marked, notation, recognize, to_iob2};
pub use scheme::{SchemeFound, TagNotation, TagScheme, from_iob2};
pub use simplify::{INSIDE, OUTSIDE, decode, fit, restore, simplify};
pub use tag::Tag;
pub use tag_map::TagMap;
pub use tag_set::TagSet;
pub use tag_words::TagWords;
