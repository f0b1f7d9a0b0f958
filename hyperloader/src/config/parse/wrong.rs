//! Errors of deserialization in the words of a configuration file.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use crate::config::near::nearest;

/// What is wrong with a value, without its place.
///
/// It is text only: the deserializers of methods and generators are type-erased, and pass on no more than the text of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong(String);

impl Wrong {
    /// The beginning of the message for the unknown key `name`.
    pub(super) fn key(name: &str) -> String {
        format!("unknown key {name:?}")
    }

    /// The beginning of the message for the unknown word `text`.
    pub(super) fn word(text: &str) -> String {
        format!("unknown word {text:?}")
    }

    /// The beginning of the message for a missing key.
    pub(super) const MISSING: &str = "missing key ";

    /// The end of the message for a value of the wrong type.
    pub(super) fn found(value: &Unexpected<'_>) -> String {
        let value = match value {
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Unsigned(number) => format!("the number {number}"),
            Unexpected::Signed(number) => format!("the number {number}"),
            Unexpected::Float(number) => format!("the number {number:?}"),
            Unexpected::Str(text) => format!("the string {text:?}"),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a table".to_owned(),
            other => other.to_string(),
        };
        format!(", found {value}")
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("expected {}{}", wanted(&expected.to_string()), Self::found(&found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self(format!("expected {}, found {length} values", wanted(&expected.to_string())))
    }

    fn unknown_variant(text: &str, known: &'static [&'static str]) -> Self {
        Self(format!("{}; known: {}", Self::word(text), known.join(", ")))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("known: {}", known.join(", ")),
        };
        Self(format!("{}; {hint}", Self::key(name)))
    }

    fn missing_field(name: &'static str) -> Self {
        Self(format!("{}{name:?}", Self::MISSING))
    }
}

/// The type that was expected, in the words of a configuration file. A type that is not listed keeps serde's words.
fn wanted(expected: &str) -> &str {
    match expected {
        "usize" | "u64" | "u32" => "a whole number, 0 or more",
        "a nonzero usize" | "a nonzero u64" | "a nonzero u32" => "a whole number, 1 or more",
        "isize" | "i64" | "i32" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" => "a string in quotes",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") || other.starts_with("dyn ") => "a table",
        other => other,
    }
}
