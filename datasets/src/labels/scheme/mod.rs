//! Tag schemes: which letters mark the tokens of a span. Inside this crate every tag is IOB2.

mod convert;
mod found;
mod names;
mod notation;
mod recognize;
mod roles;
#[cfg(test)]
mod tests;

pub use convert::from_iob2;
pub(crate) use convert::to_iob2;
pub use found::SchemeFound;
pub use names::TagScheme;
pub use notation::TagNotation;
pub(crate) use notation::{marked, notation};
pub(crate) use recognize::{Evidence, recognize};
pub(crate) use roles::looks_like_tag;
