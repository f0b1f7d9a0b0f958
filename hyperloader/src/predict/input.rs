//! What one line of the input asks for.

use std::path::Path;

use datasets::read::rows::RowText;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::label::{Item, present};

/// What a line of the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum InputFormat {
    /// A raw text, which the run's splitter splits into words
    #[default]
    Text,
    /// Words, separated by white space
    Words,
    /// A JSON object: {"text": ".."} or {"tokens": ["..", ".."]}
    ///
    /// An "id", which may be any JSON value, is repeated in the answer. Other keys are ignored.
    Jsonl,
    /// A row of a Parquet file, with a text or a list of words in one of its columns
    Parquet,
}

/// A text to label, and what the caller named it.
#[derive(Debug)]
pub struct Request {
    /// The text.
    pub item: Item<'static>,
    /// Its name, which the answer repeats.
    pub id: Option<Box<RawValue>>,
}

impl Request {
    /// A raw text.
    pub(super) fn raw(text: &str) -> Self {
        Self { item: Item::raw(text.to_owned()), id: None }
    }

    /// What a row holds.
    pub(super) fn row(text: RowText) -> Self {
        let item = match text {
            RowText::Text(text) => Item::raw(text),
            RowText::Words(words) => Item::words(&words),
        };
        Self { item, id: None }
    }
}

impl InputFormat {
    /// The format of the file at `path`, if its name says it: `.parquet`. Otherwise a raw text a line.
    pub fn of_file(path: &Path) -> Self {
        let is_parquet = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
        if is_parquet { Self::Parquet } else { Self::Text }
    }

    /// What `line`, which is without its end, asks for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn request(self, line: &str) -> Result<Request, String> {
        match self {
            Self::Text => Ok(Request::raw(line)),
            Self::Words => {
                let words: Vec<&str> = line.split_whitespace().collect();
                Ok(Request { item: Item::words(&words), id: None })
            }
            Self::Jsonl if line.trim().is_empty() => Ok(Request::raw("")),
            Self::Jsonl => object(line),
            Self::Parquet => Err("a Parquet file has no lines".to_owned()),
        }
    }
}

/// The keys of a line that count. Their types are checked apart, for messages in plain words.
#[derive(Deserialize)]
struct Object {
    #[serde(default, deserialize_with = "present")]
    text: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    tokens: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    id: Option<Box<RawValue>>,
}

fn object(line: &str) -> Result<Request, String> {
    if !line.trim_start().starts_with('{') {
        let expected = "expected a JSON object with \"text\" or \"tokens\"; for plain text give --input-format text";
        return Err(expected.to_owned());
    }
    let Object { text, tokens, id } =
        serde_json::from_str(line).map_err(|error| peft_files::json_reason(line, &error))?;
    let item = match (text, tokens) {
        (Some(Value::String(text)), None) => Item::raw(text),
        (Some(other), None) => return Err(format!("text: expected text, found {}", kind(&other))),
        (None, Some(Value::Array(tokens))) => {
            let tokens: Vec<String> = tokens.into_iter().enumerate().map(token).collect::<Result<_, _>>()?;
            Item::words(&tokens)
        }
        (None, Some(other)) => return Err(format!("tokens: expected a list of words, found {}", kind(&other))),
        (None, None) => return Err("neither text nor tokens; expected {\"text\": \"..\"} or {\"tokens\": [..]}".into()),
        (Some(_), Some(_)) => return Err("text and tokens; expected one of the two".into()),
    };
    Ok(Request { item, id })
}

fn token((number, token): (usize, Value)) -> Result<String, String> {
    match token {
        Value::String(word) if word.trim().is_empty() => Err(format!("tokens.{number}: a blank word; leave it out")),
        Value::String(word) => Ok(word),
        other => Err(format!("tokens.{number}: expected text, found {}", kind(&other))),
    }
}

/// What `value` is, in words.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
