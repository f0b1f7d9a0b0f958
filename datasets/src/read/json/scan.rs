//! Finds values in a JSON text without reading them.
//!
//! `serde_json` refuses what Python and JavaScript write but JSON does not have (`NaN`, `Infinity`), numbers that no `f64` holds, halves
//! of surrogate pairs, and deep nesting. None of that matters in a value that nobody needs. Here only brackets, quotes and the ends of
//! words are seen.

/// A field of an object: where its key and its value are.
pub(super) struct Field<'a> {
    /// The key with its quotes and escapes.
    pub(super) key: &'a str,
    /// Where the value begins.
    pub(super) value: usize,
}

/// The position of the first character from `at` on that is no blank of JSON.
pub(super) fn blank(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !b" \t\r\n".contains(byte)).unwrap_or(rest.len())
}

/// The field that begins at `at`, with a quote.
pub(super) fn field(text: &str, at: usize) -> Option<Field<'_>> {
    let bytes = text.as_bytes();
    let end = string(bytes, at)?;
    let colon = blank(text, end);
    let value = blank(text, colon + 1);
    (bytes.get(colon) == Some(&b':')).then_some(Field { key: text.get(at..end)?, value })
}

/// The position after the value that begins at `at`.
pub(super) fn value(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.get(at)? {
        b'"' => string(bytes, at),
        b'{' | b'[' => container(bytes, at),
        _ => word(bytes, at),
    }
}

/// The position after the text that begins with the quote at `at`.
fn string(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// The position after the list or object that begins at `at`. What separates its values is not checked.
fn container(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut open = Vec::new();
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string(bytes, at)?;
                continue;
            }
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            close @ (b'}' | b']') if open.pop() != Some(*close) => return None,
            _ => {}
        }
        at += 1;
        if open.is_empty() {
            return Some(at);
        }
    }
}

/// The position after a number, `true`, `null`, `NaN` or `-Infinity`.
fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
    (length > 0).then_some(at + length)
}
