//! Errors of deserialization in the words of a configuration file.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use peft_core::near::nearest;
use peft_files::{expected_in_words, found_in_words};

/// What TOML calls a map.
const MAP: &str = "a table";

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
        format!(", found {}", found_in_words(value, MAP))
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
        Self(format!("expected {}{}", expected_in_words(&expected.to_string(), MAP), Self::found(&found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self(format!("expected {}, found {length} values", expected_in_words(&expected.to_string(), MAP)))
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
