//! Values that the reference computed, compared with what the library computes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod optimizer;
mod tables;
