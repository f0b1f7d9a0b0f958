//! Numbers that count.

use std::fmt;
use std::num::NonZeroUsize;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// A whole number of at least 1. For JSON `4` and `4.0` are the same number, for serde they are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) NonZeroUsize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of at least 1")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                let count = usize::try_from(number).ok().and_then(NonZeroUsize::new);
                count.map(Count).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Count, E> {
                // Below 2⁵³ every whole number has a float of its own.
                match number.fract() == 0. && (1. ..9_007_199_254_740_992.).contains(&number) {
                    true => self.visit_u64(number as u64),
                    false => Err(E::invalid_value(Unexpected::Float(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(Read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_count_is_whole_however_it_is_written() {
        let read = |text: &str| serde_json::from_str::<Count>(text).map(|count| count.0.get());
        for (text, count) in [("1", 1), ("4.0", 4), ("3e2", 300), ("9007199254740991", 9_007_199_254_740_991)] {
            assert_eq!(read(text).unwrap(), count, "{text}");
        }
        for text in ["0", "0.0", "-1", "-1.0", "1.5", "1e300", "\"1\"", "null", "[1]", "true"] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains("expected a whole number of at least 1"), "{text}: {message}");
        }
    }
}
