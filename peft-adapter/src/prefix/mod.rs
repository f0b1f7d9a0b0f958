//! Prefixes of keys and values: those of `peft`, which act as a past, and those of AdapterHub, which may have gates.

pub(crate) mod front;
mod hub;
mod module;
mod past;

#[cfg(test)]
mod tests;

pub use hub::PrefixConfig;
pub use past::PrefixTuningConfig;

pub(crate) use hub::Location;
