//! Lists as Python prints them: `['a', "b's"]`, and as NumPy does: `['a' 'b']`, `[0 3 4]`.

use super::content::Cell;

/// The list that `text` is, which begins with `[` and ends with `]`; `None` if it is something else, such as a sentence
/// in brackets. So that a sentence like `[ 'tis ]` stays one, no blank may follow the first bracket.
pub(super) fn list(text: &str) -> Option<Cell> {
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    match inside.chars().next() {
        Some('\'' | '"') => texts(inside),
        Some('-' | '0'..='9') => numbers(inside),
        _ => None,
    }
}

fn numbers(inside: &str) -> Option<Cell> {
    let parts = inside.split([',', ' ', '\n', '\r', '\t']).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok()).collect::<Option<_>>().map(Cell::Numbers)
}

fn texts(inside: &str) -> Option<Cell> {
    let mut texts = Vec::new();
    let mut other = None;
    let mut rest = inside;
    while !rest.is_empty() {
        let (item, after) = item(rest)?;
        match item {
            Some(text) => texts.push(text),
            None => _ = other.get_or_insert(texts.len() + 1),
        }
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(match other {
        Some(at) => Cell::Other(format!("an item of the list is no text (item {at})")),
        None => Cell::Texts(texts),
    })
}

/// The first item and what follows it. The item is `None` if it is a number, `None`, `True` or `False`.
fn item(text: &str) -> Option<(Option<String>, &str)> {
    let quote = text.chars().next().filter(|first| ['\'', '"'].contains(first));
    if let Some(quote) = quote {
        let (text, after) = quoted(text.get(1..)?, quote)?;
        return Some((Some(text), after));
    }
    let end = text.find([',', ' ', '\n']).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    let plain = ["None", "True", "False", "nan"].contains(&word) || word.parse::<f64>().is_ok();
    plain.then_some((None, after))
}

/// A text up to its closing quote, with escapes replaced.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut found = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '\\' => found.push(escaped(&mut chars)?),
            end if end == quote => return Some((found, chars.as_str())),
            other => found.push(other),
        }
    }
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match chars.next()? {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        plain @ ('\\' | '\'' | '"') => return Some(plain),
        _ => return None,
    };
    let digits: String = chars.by_ref().take(digits).collect();
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}
