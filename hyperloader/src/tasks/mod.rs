//! Reads and encodes the sentences of tasks, and caches the encoded ones.

mod cache;
mod corpus;
mod folder;
mod notices;
mod split;
mod survey;

#[cfg(test)]
mod tests;

pub use cache::{Cache, Key};
pub use corpus::{Corpus, Encoded};
pub use folder::cache_folder;
pub use notices::Notices;
pub use split::SplitName;
pub use survey::{Split, survey, unknown_words};
