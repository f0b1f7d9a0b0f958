//! Tests of the public interface: invented fixtures, round trips, bad input. `tests/tests` compares with the reference's tables and
//! reads the real corpora.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod bad_input;
mod formats;
mod round_trip;
mod wrappings;

use std::path::{Path, PathBuf};

/// A file of the invented corpus.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reading/fixtures").join(name)
}
