//! The sentences of tasks: reading, encoding, and a cache of encoded sentences.

mod cache;
mod corpus;
mod folder;
mod split;

#[cfg(test)]
mod tests;

pub use cache::{Cache, Key};
pub use corpus::{Corpus, Encoded};
pub use folder::cache_folder;
pub use split::SplitName;
