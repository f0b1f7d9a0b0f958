//! JSON, read as what it nearly is: an inline table of TOML 1.1.

use serde::de::IgnoredAny;
use toml::Spanned;
use toml::de::DeValue;

use super::source::Source;
use super::spans::shift;
use crate::Result;

/// The text of a JSON file as a TOML value of the same length, so that offsets keep their meaning; `None` if the file's
/// name does not end in `.json`.
///
/// Valid JSON becomes TOML when the colons outside strings become equals signs. What TOML has no word for (`null`, `\/`,
/// surrogate pairs) is an error at its line when the value is parsed.
pub(super) fn as_toml(source: &Source<'_>) -> Result<Option<String>> {
    if !source.name.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
        return Ok(None);
    }
    serde_json::from_str::<IgnoredAny>(source.text).map_err(|e| {
        let lines = source.text.split_inclusive('\n').take(e.line().saturating_sub(1));
        source.error(lines.map(str::len).sum(), &format!("not JSON: {e}"))
    })?;
    let (mut in_string, mut escaped) = (false, false);
    let convert = |c: char| {
        let bare_colon = c == ':' && !in_string;
        in_string ^= c == '"' && !escaped;
        escaped = in_string && c == '\\' && !escaped;
        if bare_colon { '=' } else { c }
    };
    Ok(Some(source.text.chars().map(convert).collect()))
}

/// The value of a text that [`as_toml`] converted.
pub(super) fn parse<'a>(source: &Source<'_>, toml: &'a str) -> Result<Spanned<DeValue<'a>>> {
    let value = toml.trim_start();
    let lead = toml.len() - value.len();
    let parsed = DeValue::parse(value.trim_end()).map_err(|e| {
        let offset = lead + e.span().map_or(0, |span| span.start);
        let message = format!("JSON that has no counterpart in TOML (such as null): {}", e.message());
        source.error(offset, &message)
    })?;
    Ok(shift(parsed, lead))
}
