//! A JSON file as the tree that a TOML file has, with the place of every value.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use peft_files::json_reason;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::source::{Fault, Source};

/// Whether the file is JSON, according to its name.
pub(super) fn is_json(source: &Source<'_>) -> bool {
    source.name.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// The values of a JSON file. TOML has no `null`: a key whose value is `null` counts as left out.
///
/// # Errors
/// With its offset, if the text is not JSON, is not an object, gives a key twice, or a list contains `null`.
pub(super) fn parse(text: &str) -> Result<Spanned<DeValue<'_>>, Fault> {
    let syntax = |e: serde_json::Error| {
        let lines = text.split_inclusive('\n').take(e.line().saturating_sub(1));
        Fault::new(lines.map(str::len).sum(), json_reason(text, &e))
    };
    // Refuses nesting that is too deep for recursion.
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(syntax)?;
    let raw = serde_json::from_str::<&RawValue>(text).map_err(syntax)?;
    let reader = Reader { text };
    match reader.value(raw.get(), &mut Vec::new())? {
        Some(root) if root.get_ref().is_table() => Ok(root),
        _ => Err(Fault::new(reader.offset(raw.get()), "not a configuration: expected a JSON object, { .. }")),
    }
}

/// The keys of an object with their values, in the order of the file.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Keys).map(Self)
    }
}

struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    /// Where `part`, a part of the text, begins.
    fn offset(&self, part: &str) -> usize {
        part.as_ptr().addr() - self.text.as_ptr().addr()
    }

    /// The value that `text`, a part of the file, spells; `None` for `null`. `path` is its key.
    fn value(&self, text: &'a str, path: &mut Vec<String>) -> Result<Option<Spanned<DeValue<'a>>>, Fault> {
        let start = self.offset(text);
        let fail = |e: &dyn fmt::Display| Fault::new(start, format!("not JSON: {e}"));
        let value = match text.as_bytes().first() {
            Some(b'n') => return Ok(None),
            Some(b'{') => self.table(serde_json::from_str(text).map_err(|e| fail(&e))?, path)?,
            Some(b'[') => self.list(serde_json::from_str(text).map_err(|e| fail(&e))?, path)?,
            Some(b'"') => DeValue::String(Cow::Owned(serde_json::from_str(text).map_err(|e| fail(&e))?)),
            // Numbers, true and false are spelled as in TOML.
            _ => DeValue::parse(text).map_err(|e| fail(&e.message()))?.into_inner(),
        };
        Ok(Some(Spanned::new(start..start + text.len(), value)))
    }

    fn table(&self, Entries(entries): Entries<'a>, path: &mut Vec<String>) -> Result<DeValue<'a>, Fault> {
        let mut table = DeTable::new();
        let mut seen = BTreeSet::new();
        for (key, raw) in entries {
            path.push(key.clone());
            if !seen.insert(key.clone()) {
                let reason = format!("not JSON: {}: the key {key:?} is given twice", path.join("."));
                return Err(Fault::new(self.offset(raw.get()), reason));
            }
            if let Some(value) = self.value(raw.get(), path)? {
                table.insert(Spanned::new(value.span(), Cow::Owned(key)), value);
            }
            path.pop();
        }
        Ok(DeValue::Table(table))
    }

    fn list(&self, items: Vec<&'a RawValue>, path: &mut Vec<String>) -> Result<DeValue<'a>, Fault> {
        let mut list = DeArray::new();
        for (index, raw) in items.into_iter().enumerate() {
            path.push(index.to_string());
            let Some(item) = self.value(raw.get(), path)? else {
                let reason = format!("{}: a list cannot contain null", path.join("."));
                return Err(Fault::new(self.offset(raw.get()), reason));
            };
            list.push(item);
            path.pop();
        }
        Ok(DeValue::Array(list))
    }
}
