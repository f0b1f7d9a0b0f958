//! Shifting the spans of a parsed value.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// `value` with every span moved `by` bytes to the right.
pub(super) fn shift(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    moved(value, by, |value| match value {
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(|v| shift(v, by)).collect::<DeArray<'_>>()),
        DeValue::Table(table) => {
            let pairs = table.into_iter().map(|(k, v)| (moved(k, by, |k| k), shift(v, by)));
            DeValue::Table(pairs.collect::<DeTable<'_>>())
        }
        scalar => scalar,
    })
}

fn moved<T>(value: Spanned<T>, by: usize, inner: impl FnOnce(T) -> T) -> Spanned<T> {
    let span = value.span();
    Spanned::new(span.start + by..span.end + by, inner(value.into_inner()))
}
