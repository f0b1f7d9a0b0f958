//! Tests that need files of `../shared`: listed as ignored, with the reason, where those are missing.

use std::path::PathBuf;

use libtest_mimic::{Completion, Trial};

use super::places::{Lookup, lookup};

/// The test `name`. `check` receives the paths of `needs`, which are names in `../shared`. If one is missing, the test is ignored
/// with the reason; it fails if `$HYPERLOADER_REQUIRE_GOLDENS` is 1. `check` fails by panicking.
pub fn trial<const N: usize>(
    name: &str,
    needs: [&'static str; N],
    check: impl FnOnce([PathBuf; N]) + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || {
        let mut paths = Vec::with_capacity(N);
        for name in needs {
            match lookup(name) {
                Lookup::Found(path) => paths.push(path),
                Lookup::Skip(reason) => return Ok(Completion::ignored_with(reason)),
                Lookup::Missing(message) => return Err(message.into()),
            }
        }
        check(paths.try_into().map_err(|_| "a path for each name")?);
        Ok(Completion::Completed)
    })
}
