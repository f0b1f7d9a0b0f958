//! A JSON file as the tree that a TOML file has, with the place of every value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::source::Source;
use crate::Result;

/// Whether the file is JSON, according to its name.
pub(super) fn is_json(source: &Source<'_>) -> bool {
    source.name.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// The values of a JSON file. TOML has no `null`: a key whose value is `null` counts as left out.
///
/// # Errors
/// With the line, if the text is not JSON or a list contains `null`.
pub(super) fn parse<'a>(source: &Source<'a>) -> Result<Spanned<DeValue<'a>>> {
    let syntax = |e: serde_json::Error| {
        let lines = source.text.split_inclusive('\n').take(e.line().saturating_sub(1));
        source.error(lines.map(str::len).sum(), &format!("not JSON: {e}"))
    };
    // Refuses nesting that is too deep for recursion.
    serde_json::from_str::<serde_json::Value>(source.text).map_err(syntax)?;
    let raw = serde_json::from_str::<&RawValue>(source.text).map_err(syntax)?;
    Reader { source }.value(raw.get())?.ok_or_else(|| source.error(0, "not a configuration: null"))
}

/// The keys of an object with their values, each key once.
struct Entries<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = BTreeMap<String, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    if entries.contains_key(&key) {
                        return Err(serde::de::Error::custom(format!("the key {key:?} is given twice")));
                    }
                    entries.insert(key, value);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Keys).map(Self)
    }
}

struct Reader<'s, 'a> {
    source: &'s Source<'a>,
}

impl<'a> Reader<'_, 'a> {
    /// The value that `text`, a part of the file, spells; `None` for `null`.
    fn value(&self, text: &'a str) -> Result<Option<Spanned<DeValue<'a>>>> {
        let start = text.as_ptr().addr() - self.source.text.as_ptr().addr();
        let span = start..start + text.len();
        let fail = |e: &dyn std::fmt::Display| self.source.error(start, &format!("not JSON: {e}"));
        let value = match text.as_bytes().first() {
            Some(b'n') => return Ok(None),
            Some(b'{') => self.table(serde_json::from_str(text).map_err(|e| fail(&e))?)?,
            Some(b'[') => self.list(serde_json::from_str(text).map_err(|e| fail(&e))?)?,
            Some(b'"') => DeValue::String(Cow::Owned(serde_json::from_str(text).map_err(|e| fail(&e))?)),
            // Numbers, true and false are spelled as in TOML.
            _ => DeValue::parse(text).map_err(|e| fail(&e.message()))?.into_inner(),
        };
        Ok(Some(Spanned::new(span, value)))
    }

    fn table(&self, Entries(entries): Entries<'a>) -> Result<DeValue<'a>> {
        let mut table = DeTable::new();
        for (key, raw) in entries {
            if let Some(value) = self.value(raw.get())? {
                table.insert(Spanned::new(value.span(), Cow::Owned(key)), value);
            }
        }
        Ok(DeValue::Table(table))
    }

    fn list(&self, items: Vec<&'a RawValue>) -> Result<DeValue<'a>> {
        let mut list = DeArray::new();
        for raw in items {
            let start = raw.get().as_ptr().addr() - self.source.text.as_ptr().addr();
            let item = self.value(raw.get())?;
            list.push(item.ok_or_else(|| self.source.error(start, "a list cannot contain null"))?);
        }
        Ok(DeValue::Array(list))
    }
}
