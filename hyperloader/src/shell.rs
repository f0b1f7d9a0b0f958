//! Commands that a user can copy into a shell.

use std::path::Path;

/// `path` as one word of a POSIX shell.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '+' | ',' | '=');
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word() {
        let word = |path: &str| shell_word(Path::new(path));
        assert_eq!(word("runs/a-1.b"), "runs/a-1.b");
        assert_eq!(word("my runs"), "'my runs'");
        assert_eq!(word("it's"), "'it'\\''s'");
    }
}
