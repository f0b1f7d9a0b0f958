//! Tokenizer tests: against T5's own ids, on hand-made files, on trained vocabularies.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod json;
mod spiece;
mod training;
