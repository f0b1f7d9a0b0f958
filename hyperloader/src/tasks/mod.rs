//! Reads and encodes the sentences of tasks, and caches the encoded ones.

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
