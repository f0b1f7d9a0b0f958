//! Prefixes of keys and values: `peft`'s, which are a past, and AdapterHub's, which may be gated.

pub(crate) mod front;
mod hub;
mod module;
mod past;

#[cfg(test)]
mod tests;

pub use hub::PrefixConfig;
pub use past::PrefixTuningConfig;

pub(crate) use hub::Location;
