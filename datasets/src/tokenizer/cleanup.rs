//! Hugging Face's `clean_up_tokenization_spaces`.

/// The replacements of `clean_up_tokenization` in `transformers`, in the same order.
const RULES: [(&str, &str); 10] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// Removes the space before English punctuation and contractions.
///
/// ```
/// assert_eq!(datasets::tokenizer::clean_up_tokenization_spaces("what 's up !"), "what's up!");
/// ```
pub fn clean_up_tokenization_spaces(text: &str) -> String {
    RULES.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
