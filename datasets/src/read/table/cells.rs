//! The cells of one column as words.

use polars_arrow::array::{
    Array, BinaryViewArray, FixedSizeListArray, ListArray, NullArray, PrimitiveArray, Utf8ViewArray,
};
use polars_arrow::datatypes::ArrowDataType;
use polars_arrow::types::NativeType;

use crate::read::cell::Cell;
use crate::read::check::Reason;

/// The cells of a column of text, of whole numbers, or of lists of either.
pub(super) fn of(array: &dyn Array) -> Result<Vec<Cell>, Reason> {
    if let Some(lists) = array.as_any().downcast_ref::<ListArray<i64>>() {
        return lists.iter().map(list).collect();
    }
    if let Some(lists) = array.as_any().downcast_ref::<FixedSizeListArray>() {
        return lists.iter().map(list).collect();
    }
    let cell = |item| match item {
        Item::Null => Cell::Empty,
        Item::Text(text) => Cell::Text(text),
        Item::Number(_) => Cell::Other("not text but a number".to_owned()),
    };
    Ok(items(array)?.into_iter().map(cell).collect())
}

/// The cells of a type that is not read, for messages.
pub(super) fn expected(dtype: &ArrowDataType) -> String {
    format!("holds {}; expected text, lists of text, or lists of whole numbers for tags", name(dtype))
}

enum Item {
    Null,
    Text(String),
    Number(i64),
}

fn list(items_of_cell: Option<Box<dyn Array>>) -> Result<Cell, Reason> {
    let Some(array) = items_of_cell else {
        return Ok(Cell::Empty);
    };
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for (index, item) in items(array.as_ref())?.into_iter().enumerate() {
        match item {
            Item::Text(text) => texts.push(text),
            Item::Number(number) => numbers.push(number),
            Item::Null => {
                return Ok(Cell::Other(format!("an item of the list is no text but null (item {})", index + 1)));
            }
        }
    }
    Ok(if numbers.is_empty() { Cell::Texts(texts) } else { Cell::Numbers(numbers) })
}

fn items(array: &dyn Array) -> Result<Vec<Item>, Reason> {
    let any = array.as_any();
    if let Some(texts) = any.downcast_ref::<Utf8ViewArray>() {
        return Ok(texts.iter().map(|text| text.map_or(Item::Null, |text| Item::Text(text.to_owned()))).collect());
    }
    if let Some(texts) = any.downcast_ref::<BinaryViewArray>() {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map(Item::Text);
        let invalid = |_| "a text that is not UTF-8".to_owned();
        return texts.iter().map(|bytes| bytes.map_or(Ok(Item::Null), text).map_err(invalid)).collect();
    }
    if any.is::<NullArray>() {
        return Ok((0..array.len()).map(|_| Item::Null).collect());
    }
    let numbers = whole::<i8>(array)
        .or_else(|| whole::<i16>(array))
        .or_else(|| whole::<i32>(array))
        .or_else(|| whole::<i64>(array))
        .or_else(|| whole::<u8>(array))
        .or_else(|| whole::<u16>(array))
        .or_else(|| whole::<u32>(array))
        .or_else(|| whole::<u64>(array));
    numbers.ok_or_else(|| expected(array.dtype()))
}

/// The numbers of an array of type `T`. A number above those of `i64` names no tag, so it
/// becomes the largest.
fn whole<T: NativeType + TryInto<i64>>(array: &dyn Array) -> Option<Vec<Item>> {
    let numbers = array.as_any().downcast_ref::<PrimitiveArray<T>>().filter(|_| is_whole(array.dtype()))?;
    let number = |&number: &T| Item::Number(number.try_into().unwrap_or(i64::MAX));
    Some(numbers.iter().map(|found| found.map_or(Item::Null, number)).collect())
}

/// Whether a type holds whole numbers. Times are stored as such numbers too, but are none.
pub(super) fn is_whole(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as D;
    let signed = matches!(dtype, D::Int8 | D::Int16 | D::Int32 | D::Int64);
    signed || matches!(dtype, D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64)
}

/// The name of a type as people know it.
fn name(dtype: &ArrowDataType) -> String {
    let list = |inner: &ArrowDataType| format!("lists of {}", name(inner));
    match dtype {
        ArrowDataType::Null => "nothing".to_owned(),
        ArrowDataType::Boolean => "true and false".to_owned(),
        ArrowDataType::Int8 => "i8".to_owned(),
        ArrowDataType::Int16 => "i16".to_owned(),
        ArrowDataType::Int32 => "i32".to_owned(),
        ArrowDataType::Int64 => "i64".to_owned(),
        ArrowDataType::UInt8 => "u8".to_owned(),
        ArrowDataType::UInt16 => "u16".to_owned(),
        ArrowDataType::UInt32 => "u32".to_owned(),
        ArrowDataType::UInt64 => "u64".to_owned(),
        ArrowDataType::Float16 | ArrowDataType::Float32 | ArrowDataType::Float64 => "fractions".to_owned(),
        ArrowDataType::Date32 | ArrowDataType::Date64 | ArrowDataType::Timestamp(..) => "times".to_owned(),
        ArrowDataType::Time32(_) | ArrowDataType::Time64(_) | ArrowDataType::Duration(_) => "times".to_owned(),
        ArrowDataType::Decimal(..) => "decimals".to_owned(),
        ArrowDataType::Struct(_) => "structs".to_owned(),
        ArrowDataType::Map(..) => "maps".to_owned(),
        ArrowDataType::List(inner) | ArrowDataType::LargeList(inner) | ArrowDataType::FixedSizeList(inner, _) => {
            list(inner.dtype())
        }
        ArrowDataType::Utf8 | ArrowDataType::LargeUtf8 | ArrowDataType::Utf8View => "text".to_owned(),
        other => format!("{other:?}"),
    }
}
