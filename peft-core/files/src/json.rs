//! JSON documents as values. An error names the line and the key, in plain words.

use std::fmt;
use std::path::Path;

use serde::de::{DeserializeOwned, Expected, Unexpected};
use serde_value::{Value, ValueDeserializer};

use crate::Error;
use crate::words::{expected_in_words, found_in_words};

/// What JSON calls a map.
const MAP: &str = "an object";

/// The JSON document `text`, the content of the file at `path`.
///
/// # Errors
/// [`Error`] naming `path`, and the line where the document is not JSON or not a `T`.
pub fn parse_json<T: DeserializeOwned>(path: impl AsRef<Path>, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| {
        let reason = match error.classify() {
            serde_json::error::Category::Data => in_words::<T>(text).unwrap_or_else(|| json_reason(text, &error)),
            _ => json_reason(text, &error),
        };
        match error.line() {
            0 => Error::malformed(path, reason),
            line => Error::at_line(path, line, reason),
        }
    })
}

/// The `T` that a JSON value describes.
///
/// # Errors
/// The key and what is wrong with it.
///
/// ```
/// let reason = peft_files::from_json_value::<Vec<usize>>(&serde_json::json!([1, "two"])).unwrap_err();
/// assert_eq!(reason, "[1]: expected a whole number, 0 or more, found the string \"two\"");
/// ```
pub fn from_json_value<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, String> {
    serde_value::to_value(value).map_err(|error| error.to_string()).and_then(deserialize)
}

/// What is wrong with the JSON document `text`, without the line of `error`.
pub fn json_reason(text: &str, error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let reason = whole.strip_suffix(&place).unwrap_or(&whole);
    match error.classify() {
        serde_json::error::Category::Data => reason.to_owned(),
        _ if text.trim().is_empty() => "not JSON: the file is empty".to_owned(),
        serde_json::error::Category::Eof => "not JSON: it ends too early; fetch or copy it again".to_owned(),
        _ => format!("not JSON: {reason}{}, at column {}", hint(text, error), error.column()),
    }
}

/// Why `text` is JSON and no `T`: it is deserialized again, with an error type that keeps serde's words from the user.
fn in_words<T: DeserializeOwned>(text: &str) -> Option<String> {
    let value = serde_json::from_str::<Value>(text).ok()?;
    deserialize::<T>(value).err()
}

fn deserialize<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    let tree = value.clone();
    serde_path_to_error::deserialize(ValueDeserializer::<Wrong>::new(value)).map_err(|error| {
        if matches!(tree, Value::Seq(_)) && is_map::<T>() {
            return format!("expected {MAP}, found a list");
        }
        let path = error.path().to_string();
        let Wrong(reason) = error.into_inner();
        let (above, last) = path.rsplit_once('.').unwrap_or_default();
        let path = match path.as_str() {
            // Where serde has buffered a map, it does not know the key.
            "." => place_of(&tree, &reason),
            // The reason names the key itself.
            whole if reason.starts_with(&unknown_key(last)) || reason.starts_with(&unknown_key(whole)) => {
                Some(above.to_owned()).filter(|above| !above.is_empty())
            }
            _ => Some(path),
        };
        path.map_or_else(|| reason.clone(), |path| format!("{path}: {reason}"))
    })
}

/// Whether a `T` is a map. Serde reads the fields of a struct from a list too, and would say what is wrong with the first.
fn is_map<T: DeserializeOwned>() -> bool {
    let empty = T::deserialize(ValueDeserializer::<Wrong>::new(Value::Seq(Vec::new())));
    empty.is_err_and(|Wrong(reason)| reason.starts_with(&format!("expected {MAP}")))
}

fn unknown_key(name: &str) -> String {
    format!("unknown key {name:?}")
}

/// The only key whose value is the one that `reason` names as found.
fn place_of(tree: &Value, reason: &str) -> Option<String> {
    let Value::Map(entries) = tree else { return None };
    let names_it = |value: &Value| reason.ends_with(&format!(", found {}", found_in_words(&unexpected(value), MAP)));
    let mut places = entries.iter().filter(|(_, value)| names_it(value)).map(|(key, _)| key);
    match (places.next(), places.next()) {
        (Some(Value::String(key)), None) => Some(key.clone()),
        _ => None,
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::U64(number) => Unexpected::Unsigned(*number),
        Value::I64(number) => Unexpected::Signed(*number),
        Value::F64(number) => Unexpected::Float(*number),
        Value::String(text) => Unexpected::Str(text),
        Value::Seq(_) => Unexpected::Seq,
        Value::Map(_) => Unexpected::Map,
        _ => Unexpected::Unit,
    }
}

/// An error of deserialization in plain words.
#[derive(Debug)]
struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl serde::de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected_in_words(&expected.to_string(), MAP);
        Self(format!("expected {expected}, found {}", found_in_words(&found, MAP)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let expected = expected_in_words(&expected.to_string(), MAP);
        Self(format!("expected {expected}, found a list of {length}"))
    }

    fn unknown_variant(text: &str, known: &'static [&'static str]) -> Self {
        Self(format!("unknown word {text:?}; known: {}", known.join(", ")))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self(format!("{}; known: {}", unknown_key(name), known.join(", ")))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::custom(format_args!("missing key {name:?}"))
    }
}

/// What to do about mistakes that people and Python's `json` often make.
fn hint(text: &str, error: &serde_json::Error) -> &'static str {
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The column is the number of bytes up to and with the one that is wrong; of a word, serde_json may count more.
    let at = |back: usize| line.get(error.column().saturating_sub(back)..).unwrap_or_default();
    let begins = |words: &[&str]| (1..=2).any(|back| words.iter().any(|word| at(back).starts_with(word)));
    if begins(&["//", "/*", "#"]) {
        " (JSON has no comments: remove it)"
    } else if begins(&["NaN", "Infinity", "-Infinity"]) {
        " (JSON has no NaN and no Infinity)"
    } else if begins(&["}"]) && error.to_string().starts_with("key must be") {
        " (remove the comma before it)"
    } else if begins(&["'"]) {
        " (JSON has double quotes only)"
    } else if begins(&["True", "False", "None"]) {
        " (JSON writes true, false and null)"
    } else {
        ""
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::text_of;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read for its errors")]
    struct Shape {
        d_model: usize,
        names: Option<Vec<String>>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "read for its errors")]
    struct Lenient {
        r: std::num::NonZeroUsize,
        #[serde(flatten)]
        rest: std::collections::BTreeMap<String, serde_json::Value>,
    }

    #[test]
    fn a_byte_order_mark_is_no_json() {
        let text = text_of("a", "\u{feff}{}".into()).unwrap();
        assert_eq!(parse_json::<serde_json::Value>("a", &text).unwrap(), serde_json::json!({}));
    }

    #[test]
    fn a_value_of_another_type_is_explained_without_types_of_rust() {
        let say = |text: &str| parse_json::<Shape>("a.json", text).unwrap_err().to_string();
        for (text, expected) in [
            ("7", "expected an object, found the number 7"),
            ("[1, 2]", "expected an object, found a list"),
            ("[]", "expected an object, found a list"),
            ("{\"d_model\": \"8\"}", "d_model: expected a whole number, 0 or more, found the string \"8\""),
            ("{\"d_model\": null}", "d_model: expected a whole number, 0 or more, found null"),
            ("{\"d_model\": 8, \"names\": [true]}", "names[0]: expected a string in quotes, found true"),
            ("{}", "missing key \"d_model\""),
            ("{\"d_modle\": 8}", "unknown key \"d_modle\"; known: d_model, names"),
        ] {
            assert_eq!(say(text), format!("a.json:1: {expected}"));
        }
        let buffered = parse_json::<Lenient>("a.json", "{\"a\": 1,\n\"r\": 0}").unwrap_err().to_string();
        assert_eq!(buffered, "a.json:2: r: expected a whole number, 1 or more, found the number 0");
    }

    #[test]
    fn what_is_no_json_has_its_line_and_says_what_to_do() {
        let say = |text: &str| parse_json::<serde_json::Value>("a.json", text).unwrap_err().to_string();
        assert_eq!(say(" \n"), "a.json:2: not JSON: the file is empty");
        assert_eq!(
            say("{\n \"a\": 1 // one\n}"),
            "a.json:2: not JSON: expected `,` or `}` (JSON has no comments: remove it), at column 9"
        );
        assert!(say("{\n \"a\": NaN}").contains("a.json:2: not JSON: expected value (JSON has no NaN"));
        assert!(say("{'a': 1}").contains("double quotes"));
        assert!(say("{\"a\": True}").contains("true, false and null"));
        let data = parse_json::<Vec<u8>>("a.json", "[1,\n-1]").unwrap_err().to_string();
        assert_eq!(data, "a.json:2: [1]: expected a whole number from 0 to 255, found the number -1");
    }
}
