//! The whole numbers of methods and generators: each is a size, so that a slip of the finger is an allocation.

use serde::Serialize;
use serde_value::Value;

/// The largest size of a method or generator: the widest layer of the largest T5.
pub(super) const MOST_FEATURES: u64 = 65_536;

/// A key whose number is no size.
const SEED: &str = "seed";

/// The first number in `part` above [`MOST_FEATURES`], with its dotted key. `key` is that of `part`.
///
/// Every method can be checked in this way, also one of another crate: its configuration is data.
pub(super) fn too_large(key: &str, part: &impl Serialize) -> Option<(String, u64)> {
    // What cannot be written as a value cannot have been read as one.
    serde_value::to_value(part).ok().and_then(|value| search(key, &value))
}

fn search(key: &str, value: &Value) -> Option<(String, u64)> {
    let number = match value {
        Value::U8(number) => u64::from(*number),
        Value::U16(number) => u64::from(*number),
        Value::U32(number) => u64::from(*number),
        Value::U64(number) => *number,
        Value::I64(number) => u64::try_from(*number).unwrap_or_default(),
        Value::Option(Some(inner)) | Value::Newtype(inner) => return search(key, inner),
        Value::Seq(items) => {
            return items.iter().enumerate().find_map(|(index, item)| search(&format!("{key}.{index}"), item));
        }
        Value::Map(entries) => return entries.iter().find_map(|(name, value)| search(&below(key, name)?, value)),
        _ => return None,
    };
    (number > MOST_FEATURES).then(|| (key.to_owned(), number))
}

/// The key of an entry; `None` if its number is no size.
fn below(key: &str, name: &Value) -> Option<String> {
    match name {
        Value::String(name) if name == SEED => None,
        Value::String(name) => Some(format!("{key}.{name}")),
        _ => Some(key.to_owned()),
    }
}
