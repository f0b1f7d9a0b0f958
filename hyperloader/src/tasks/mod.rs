//! The tasks of a configuration, read and encoded.

mod corpus;

pub use corpus::{Corpus, Split, SplitName};
