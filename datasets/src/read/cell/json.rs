//! A JSON value as a cell. What is not text is not rendered as text: `3.10` would become `3.1`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::content::Cell;

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

fn no_text<E>(what: &str) -> Result<Cell, E> {
    Ok(Cell::Other(format!("not text but {what}")))
}

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Cell, E> {
        Ok(Cell::Text(text))
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Empty)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Cell, E> {
        no_text("true or false")
    }

    fn visit_i64<E>(self, _: i64) -> Result<Cell, E> {
        no_text("a number")
    }

    fn visit_u64<E>(self, _: u64) -> Result<Cell, E> {
        no_text("a number")
    }

    fn visit_f64<E>(self, _: f64) -> Result<Cell, E> {
        no_text("a number")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        no_text("an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Cell, A::Error> {
        let mut list = List::default();
        while let Some(item) = items.next_element::<Item>()? {
            list.add(item);
        }
        Ok(list.cell())
    }
}

/// The items of a list so far.
#[derive(Default)]
struct List {
    texts: Vec<String>,
    numbers: Vec<i64>,
    length: usize,
    /// The first item that is neither text nor a whole number, and the first whole number.
    other: Option<(usize, &'static str)>,
    number: Option<usize>,
}

impl List {
    fn add(&mut self, item: Item) {
        self.length += 1;
        match item {
            Item::Text(text) => self.texts.push(text),
            Item::Whole(number) => {
                self.number.get_or_insert(self.length);
                self.numbers.push(number);
            }
            Item::Other(what) => _ = self.other.get_or_insert((self.length, what)),
        }
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

enum Item {
    Text(String),
    Whole(i64),
    Other(&'static str),
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Item, E> {
        Ok(Item::Text(text))
    }

    fn visit_unit<E>(self) -> Result<Item, E> {
        Ok(Item::Other("null"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Item, E> {
        Ok(Item::Other("true or false"))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Item, E> {
        Ok(Item::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Item, E> {
        Ok(i64::try_from(number).map_or(Item::Other("a number"), Item::Whole))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Item, E> {
        Ok(Item::Other("a number"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Item::Other("an object"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Item, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Item::Other("a list"))
    }
}
