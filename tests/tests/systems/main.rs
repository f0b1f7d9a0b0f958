//! What the paper's systems need in addition to methods that others test: a generator that sees the input, and a hypernetwork that begins
//! where static weights begin.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod hyperdecoder;
mod initial_values;
mod models;
