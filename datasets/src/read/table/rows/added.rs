//! The columns that labels become.

use polars::error::PolarsResult;
use polars_arrow::array::{Array, ListArray, PrimitiveArray, StructArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_arrow::offset::Offsets;
use polars_arrow::types::NativeType;

/// The names of the columns that are added: `predicted_tokens` and `predicted_tags` (lists of texts), `predicted_confidences` (lists
/// of f32, empty with free decoding) and `predicted_spans` (lists of structs as [`RowSpan`]).
pub const ADDED: [&str; 4] = ["predicted_tokens", "predicted_tags", "predicted_confidences", "predicted_spans"];

/// The labels of one row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowLabels {
    /// The words.
    pub tokens: Vec<String>,
    /// One BIO tag per word.
    pub tags: Vec<String>,
    /// The confidence of each tag, if there are any.
    pub confidences: Vec<f32>,
    /// The spans.
    pub spans: Vec<RowSpan>,
}

/// One span of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowSpan {
    /// Its type.
    pub kind: String,
    /// The number of its first character.
    pub start: u64,
    /// The number after that of its last character.
    pub end: u64,
    /// Its text.
    pub text: String,
    /// The number of its first word.
    pub word_start: u64,
    /// The number after that of its last word.
    pub word_end: u64,
    /// Its score, if it has one.
    pub score: Option<f32>,
}

/// The columns of `labels`, in the order of [`ADDED`].
pub(super) fn columns(labels: &[RowLabels]) -> PolarsResult<Vec<Box<dyn Array>>> {
    let tokens: Vec<&String> = labels.iter().flat_map(|row| &row.tokens).collect();
    let tags: Vec<&String> = labels.iter().flat_map(|row| &row.tags).collect();
    let confidences: Vec<f32> = labels.iter().flat_map(|row| row.confidences.iter().copied()).collect();
    let spans: Vec<&RowSpan> = labels.iter().flat_map(|row| &row.spans).collect();
    Ok(vec![
        lists(texts(&tokens), labels.iter().map(|row| row.tokens.len()))?,
        lists(texts(&tags), labels.iter().map(|row| row.tags.len()))?,
        lists(PrimitiveArray::from_vec(confidences).boxed(), labels.iter().map(|row| row.confidences.len()))?,
        lists(structs(&spans)?, labels.iter().map(|row| row.spans.len()))?,
    ])
}

/// The added columns, with the types that [`columns`] gives them.
pub(super) fn fields() -> PolarsResult<Vec<Field>> {
    let columns = columns(&[])?;
    Ok(ADDED.iter().zip(columns).map(|(name, array)| Field::new((*name).into(), array.dtype().clone(), true)).collect())
}

fn texts(texts: &[&String]) -> Box<dyn Array> {
    Utf8ViewArray::from_slice_values(texts).boxed()
}

fn structs(spans: &[&RowSpan]) -> PolarsResult<Box<dyn Array>> {
    let numbers = |number: fn(&RowSpan) -> u64| of(spans.iter().map(|span| number(span)).collect());
    let kinds: Vec<&String> = spans.iter().map(|span| &span.kind).collect();
    let contents: Vec<&String> = spans.iter().map(|span| &span.text).collect();
    let scores: PrimitiveArray<f32> = spans.iter().map(|span| span.score).collect();
    let parts = [
        ("type", texts(&kinds)),
        ("start", numbers(|span| span.start)),
        ("end", numbers(|span| span.end)),
        ("text", texts(&contents)),
        ("word_start", numbers(|span| span.word_start)),
        ("word_end", numbers(|span| span.word_end)),
        ("score", scores.boxed()),
    ];
    let fields = parts.iter().map(|(name, array)| Field::new((*name).into(), array.dtype().clone(), true)).collect();
    let arrays = parts.into_iter().map(|(_, array)| array).collect();
    Ok(StructArray::try_new(ArrowDataType::Struct(fields), spans.len(), arrays, None)?.boxed())
}

fn of<T: NativeType>(numbers: Vec<T>) -> Box<dyn Array> {
    PrimitiveArray::from_vec(numbers).boxed()
}

fn lists(values: Box<dyn Array>, lengths: impl Iterator<Item = usize>) -> PolarsResult<Box<dyn Array>> {
    let dtype = ListArray::<i64>::default_datatype(values.dtype().clone());
    let offsets = Offsets::<i64>::try_from_lengths(lengths)?;
    Ok(ListArray::try_new(dtype, offsets.into(), values, None)?.boxed())
}
