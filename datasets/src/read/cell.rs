//! The text of a table cell as words.

/// A JSON array of strings if the text is one, otherwise words separated by whitespace.
pub(super) fn words(text: &str) -> Vec<String> {
    if text.trim_start().starts_with('[')
        && let Ok(words) = serde_json::from_str(text)
    {
        return words;
    }
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_text_is_a_json_array_if_it_can_be_one() {
        assert_eq!(words(r#"["a b", "c"]"#), ["a b", "c"]);
        assert_eq!(words("a  b\tc "), ["a", "b", "c"]);
        assert_eq!(words("[ a ]"), ["[", "a", "]"]);
    }
}
