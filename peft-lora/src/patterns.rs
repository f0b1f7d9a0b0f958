//! `rank_pattern` and `alpha_pattern`: values for some modules, by name.

use std::fmt;

use peft_core::{Error, PathPattern, Result};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Values by regular expressions on module paths, as in Hugging Face `peft`. A key matches the whole path, or the part after a
/// dot. The first matching key, in the order of the file, counts.
///
/// ```
/// # use peft_lora::Patterns;
/// let ranks = Patterns::new([("wo", 16), ("decoder.*q", 2)])?;
/// assert_eq!(ranks.get("encoder.block.0.layer.1.DenseReluDense.wo"), Some(16));
/// let ranks: Patterns<usize> = serde_json::from_str(r#"{"decoder.*q": 2, "wo": 16}"#)?;
/// assert_eq!(ranks.get("decoder.block.0.layer.0.SelfAttention.q"), Some(2));
/// assert_eq!(ranks.get("encoder.block.0.layer.1.DenseReluDense.wo"), Some(16));
/// assert_eq!(ranks.get("encoder.block.0.layer.0.SelfAttention.q"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Patterns<T>(Vec<(PathPattern, T)>);

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Patterns<T> {
    /// Values by their keys, which are regular expressions. The order counts.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] naming the key that is no regular expression.
    pub fn new<S: Into<String>>(entries: impl IntoIterator<Item = (S, T)>) -> Result<Self> {
        let entry = |(key, value): (S, T)| {
            let pattern = PathPattern::suffix(&key.into());
            Ok((pattern.map_err(|reason| Error::invalid("pattern", "key", reason))?, value))
        };
        entries.into_iter().map(entry).collect::<Result<_>>().map(Self)
    }

    /// The value for the module at `path`, if a key matches.
    pub fn get(&self, path: &str) -> Option<T>
    where
        T: Copy,
    {
        self.0.iter().find(|(pattern, _)| pattern.is_match(path)).map(|(_, value)| *value)
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for Patterns<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (pattern, value) in &self.0 {
            map.serialize_entry(pattern.as_str(), value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patterns<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Patterns<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table from module names (regular expressions) to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry::<String, T>()? {
                    all.push(entry);
                }
                Patterns::new(all).map_err(serde::de::Error::custom)
            }
        }
        deserializer.deserialize_map(InOrder(std::marker::PhantomData))
    }
}
