//! A JSON value as a cell. What is not text is not rendered as text: `3.10` would become `3.1`.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::content::Cell;

/// An item of a list. It is read to its end, but a list in it is not kept.
type Item = Value<IgnoredAny>;

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::<Vec<Item>>::deserialize(deserializer)? {
            Value::Text(text) => Self::Text(text),
            Value::Null => Self::Empty,
            Value::List(items) => List::of(items).cell(),
            other => Self::Other(format!("not text but {}", other.name())),
        })
    }
}

/// The items of a list.
#[derive(Default)]
struct List {
    texts: Vec<String>,
    numbers: Vec<i64>,
    /// The first item that is neither text nor a whole number, and the first whole number.
    other: Option<(usize, &'static str)>,
    number: Option<usize>,
}

impl List {
    fn of(items: Vec<Item>) -> Self {
        let mut list = Self::default();
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Value::Text(text) => list.texts.push(text),
                Value::Whole(number) => {
                    list.number.get_or_insert(index + 1);
                    list.numbers.push(number);
                }
                other => _ = list.other.get_or_insert((index + 1, other.name())),
            }
        }
        list
    }

    fn cell(self) -> Cell {
        let mixed = |(at, what)| Cell::Other(format!("an item of the list is no text but {what} (item {at})"));
        match (self.other, self.number) {
            (Some(other), _) => mixed(other),
            (None, Some(at)) if !self.texts.is_empty() => mixed((at, "a number")),
            (None, Some(_)) => Cell::Numbers(self.numbers),
            (None, None) => Cell::Texts(self.texts),
        }
    }
}

/// Any value, with a list as `L`.
enum Value<L> {
    Text(String),
    Whole(i64),
    /// A fraction, or a number that is too large.
    Number,
    Flag,
    Null,
    List(L),
    Object,
}

impl<L> Value<L> {
    /// What it is, for messages.
    fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Whole(_) | Self::Number => "a number",
            Self::Flag => "true or false",
            Self::Null => "null",
            Self::List(_) => "a list",
            Self::Object => "an object",
        }
    }
}

impl<'de, L: Deserialize<'de>> Deserialize<'de> for Value<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor(PhantomData))
    }
}

struct ValueVisitor<L>(PhantomData<L>);

impl<'de, L: Deserialize<'de>> Visitor<'de> for ValueVisitor<L> {
    type Value = Value<L>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<L>, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value<L>, E> {
        Ok(Value::Text(text))
    }

    fn visit_unit<E>(self) -> Result<Value<L>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<L>, E> {
        Ok(Value::Flag)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<L>, E> {
        Ok(Value::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<L>, E> {
        Ok(i64::try_from(number).map_or(Value::Number, Value::Whole))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<L>, E> {
        Ok(Value::Number)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value<L>, A::Error> {
        IgnoredAny::deserialize(MapAccessDeserializer::new(map)).map(|_| Value::Object)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Value<L>, A::Error> {
        L::deserialize(SeqAccessDeserializer::new(items)).map(Value::List)
    }
}
