//! The wire format of protocol buffers, as far as reading flat messages needs it.

use crate::error::{Error, Result};

/// One field of a message: its number and its value.
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) value: Value<'a>,
}

/// A value as the wire holds it; the schema says what it means.
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed(&'a [u8]),
    Bytes(&'a [u8]),
}

/// The fields of a message in file order; ends after the first error.
pub(super) fn fields(message: &[u8]) -> impl Iterator<Item = Result<Field<'_>>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next_field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field.ok_or_else(|| Error::Tokenizer("malformed protocol buffer".to_owned())))
    })
}

impl<'a> Value<'a> {
    /// The bytes of a length-delimited value (a string, a message).
    pub(super) fn bytes(&self) -> Result<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(wrong_type("bytes")),
        }
    }

    /// An integer, an enum value or a flag.
    pub(super) fn integer(&self) -> Result<u64> {
        match self {
            Self::Varint(value) => Ok(*value),
            _ => Err(wrong_type("an integer")),
        }
    }

    /// A 32-bit float.
    pub(super) fn float(&self) -> Result<f32> {
        let bytes = match self {
            Self::Fixed(bytes) => <[u8; 4]>::try_from(*bytes).ok(),
            _ => None,
        };
        bytes.map(f32::from_le_bytes).ok_or_else(|| wrong_type("a float"))
    }
}

fn wrong_type(wanted: &str) -> Error {
    Error::Tokenizer(format!("malformed protocol buffer: a field should hold {wanted}"))
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => Value::Fixed(take(rest, 8)?),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Bytes(take(rest, length)?)
        }
        5 => Value::Fixed(take(rest, 4)?),
        _ => return None,
    };
    Some(Field { number: key >> 3, value })
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(taken)
}
