//! The types of values in plain words: a user has not read the structs of this program.

use serde::de::Unexpected;

/// The value that was found. `map` is what the format calls a map: an object in JSON, a table in TOML.
pub fn found_in_words(value: &Unexpected<'_>, map: &str) -> String {
    match value {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number:?}"),
        Unexpected::Char(letter) => format!("the string {:?}", letter.to_string()),
        Unexpected::Str(text) => format!("the string {text:?}"),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => map.to_owned(),
        other => other.to_string(),
    }
}

/// The type that was expected, from serde's name for it. `map` is as in [`found_in_words`].
///
/// What is not a type of Rust keeps its words: they are those of a visitor that was written for people.
pub fn expected_in_words(expected: &str, map: &str) -> String {
    let words = match expected {
        "u8" => "a whole number from 0 to 255",
        "usize" | "u64" | "u32" | "u16" => "a whole number, 0 or more",
        "a nonzero usize" | "a nonzero u64" | "a nonzero u32" | "a nonzero u16" | "a nonzero u8" => {
            "a whole number, 1 or more"
        }
        "isize" | "i64" | "i32" | "i16" | "i8" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "true or false",
        "a string" | "a borrowed string" | "path string" | "a character" | "string or map" | "variant identifier"
        | "field identifier" => "a string in quotes",
        "a sequence" => "a list",
        "a map" => map,
        "unit" | "option" => "null",
        other => return other_in_words(other, map),
    };
    words.to_owned()
}

fn other_in_words(expected: &str, map: &str) -> String {
    let after = |beginning: &str| expected.strip_prefix(beginning);
    if let Some(size) = after("a tuple of size ").or_else(|| after("an array of length ")) {
        return format!("a list of {size} values");
    }
    if expected.starts_with("tuple ") {
        return "a list".to_owned();
    }
    let is_map = ["struct ", "dyn ", "internally tagged enum ", "adjacently tagged enum "];
    if is_map.iter().any(|beginning| expected.starts_with(beginning)) {
        return map.to_owned();
    }
    match after("enum ") {
        Some(_) => "a string in quotes".to_owned(),
        None => expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_rust_have_words() {
        for (expected, words) in [
            ("struct HfConfig", "an object"),
            ("struct HfConfig with 19 elements", "an object"),
            ("dyn PeftConfig", "an object"),
            ("internally tagged enum Rule", "an object"),
            ("enum Precision", "a string in quotes"),
            ("usize", "a whole number, 0 or more"),
            ("a nonzero usize", "a whole number, 1 or more"),
            ("i64", "a whole number"),
            ("f64", "a number"),
            ("a tuple of size 2", "a list of 2 values"),
            ("tuple struct Betas", "a list"),
            ("a list of module names", "a list of module names"),
        ] {
            assert_eq!(expected_in_words(expected, "an object"), words);
        }
    }
}
