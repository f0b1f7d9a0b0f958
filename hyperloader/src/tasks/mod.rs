//! The tasks of a configuration, read and encoded.

mod cache;
mod corpus;
mod folder;

#[cfg(test)]
mod tests;

pub use cache::{Cache, Key};
pub use corpus::{Corpus, Encoded, SplitName};
pub use folder::cache_folder;
