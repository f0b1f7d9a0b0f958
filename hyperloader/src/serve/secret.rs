//! Tokens that clients present.

use std::fmt;
use std::path::Path;

use subtle::ConstantTimeEq;

use crate::{Error, Result};

/// A token. It is not shown in logs or messages.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The token that is the only line of the file `path`.
    ///
    /// # Errors
    /// If the file cannot be read; [`Error::Malformed`] if it has no line or several, or characters that a header cannot have.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::malformed(
                path,
                "expected one token: printable ASCII characters on one line, no blanks",
            ));
        }
        Ok(Self(token.as_bytes().to_vec()))
    }

    /// Whether `given` is the token. The time that this takes depends on the length of `given` alone.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.as_slice().ct_eq(given).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_token_is_one_line_and_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        let secret = Secret::read(&path).unwrap();
        assert!(secret.is(b"s3cret") && !secret.is(b"s3cre") && !secret.is(b"s3creT") && !secret.is(b""));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        for wrong in ["", "\n", "two words", "two\nlines", "naïve"] {
            std::fs::write(&path, wrong).unwrap();
            assert!(Secret::read(&path).is_err(), "{wrong:?}");
        }
    }
}
