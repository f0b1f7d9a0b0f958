//! The names that are registered in this program.

use std::fmt;

use peft_core::{GeneratorConfig, PeftConfig};
use serde::Deserialize;
use serde::de::value::MapDeserializer;

/// The `peft_type` of every method that is linked.
///
/// # Panics
/// If the registry accepts a name that nothing has.
pub fn methods() -> Vec<&'static str> {
    names::<Box<dyn PeftConfig>>("peft_type")
}

/// The `generator` of every generator that is linked.
///
/// # Panics
/// If the registry accepts a name that nothing has.
pub fn generators() -> Vec<&'static str> {
    names::<Box<dyn GeneratorConfig>>("generator")
}

/// The registry has no list, but it answers an unknown name with the known ones.
fn names<T: for<'de> Deserialize<'de>>(tag: &str) -> Vec<&'static str> {
    let unknown = MapDeserializer::<_, Refusal>::new([(tag, "no such name")].into_iter());
    let Err(Refusal(mut names)) = T::deserialize(unknown) else { panic!("{tag}: an unknown name was accepted") };
    assert!(!names.is_empty(), "{tag}: nothing is registered");
    names.sort_unstable();
    names
}

/// An error of a deserializer, with the names that were expected.
#[derive(Debug)]
struct Refusal(Vec<&'static str>);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected one of {:?}", self.0)
    }
}

impl std::error::Error for Refusal {}

impl serde::de::Error for Refusal {
    fn custom<M: fmt::Display>(message: M) -> Self {
        panic!("{message}, where an unknown name was expected")
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self(known.to_vec())
    }
}
