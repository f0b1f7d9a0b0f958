//! Tests of the public interface: invented fixtures, round trips, bad input, and, if `shared/` is next to the workspace,
//! the real corpora and the reference's golden files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod bad_input;
mod corpora;
mod formats;
mod goldens;
mod round_trip;
mod wrappings;

use std::path::{Path, PathBuf};

/// A file of the invented corpus.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reading/fixtures").join(name)
}

/// A path in the folder `shared/` next to the workspace. Prints a note if it does not exist.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(name);
    let found = path.exists().then_some(path);
    if found.is_none() {
        println!("skipped: no shared/{name}");
    }
    found
}
