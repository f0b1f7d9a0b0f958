//! BIO, `seq.in`/`seq.out`, CSV and JSON.

use std::io::{self, Write};

use crate::example::Example;
use crate::labels::Tag;
use crate::read::bio::DOCUMENT_START;
use crate::read::check::Reason;
use crate::read::format::Format;
use crate::read::lines::BOM;

/// Checks that reading the format gives back the tokens of a sentence unchanged.
pub(super) fn fits(example: &Example, format: Format) -> Result<(), Reason> {
    let lost: fn(&str) -> bool = match format {
        Format::Bio => |token| {
            token.contains(['\t', '\r', '\n'])
                || token.trim() != token
                || token.starts_with(DOCUMENT_START)
                || token.starts_with(BOM)
        },
        Format::Seq => |token| token.contains(char::is_whitespace) || token.starts_with(BOM),
        _ => return Ok(()),
    };
    // A line that begins with `#` is a comment unless its tag looks like one.
    let comment = |token: &str, tag: &str| format == Format::Bio && token.starts_with('#') && Tag::parse(tag).is_err();
    let mut pairs = example.tokens.iter().zip(&example.tags);
    match pairs.find(|(token, tag)| lost(token) || comment(token, tag)).map(|(token, _)| token) {
        Some(token) => Err(format!("the token {token:?} cannot be written as `{format}`; write `jsonl`")),
        None => Ok(()),
    }
}

/// `word⇥tag` lines with a blank line after each sentence.
pub(super) fn bio(examples: &[Example], file: &mut impl Write) -> io::Result<()> {
    for example in examples {
        for (token, tag) in example.tokens.iter().zip(&example.tags) {
            writeln!(file, "{token}\t{tag}")?;
        }
        writeln!(file)?;
    }
    Ok(())
}

/// One sentence per line, its words separated by blanks.
pub(super) fn seq(
    examples: &[Example],
    words: impl Fn(&Example) -> &Vec<String>,
    file: &mut impl Write,
) -> io::Result<()> {
    for example in examples {
        writeln!(file, "{}", words(example).join(" "))?;
    }
    Ok(())
}

/// One object per line: `{"tokens":[…],"tags":[…]}`.
pub(super) fn json_lines(examples: &[Example], file: &mut impl Write) -> io::Result<()> {
    for Example { tokens, tags, .. } in examples {
        let (tokens, tags) = (serde_json::to_string(tokens)?, serde_json::to_string(tags)?);
        writeln!(file, "{{\"tokens\":{tokens},\"tags\":{tags}}}")?;
    }
    Ok(())
}

/// One array with an object per line.
pub(super) fn json(examples: &[Example], file: &mut impl Write) -> io::Result<()> {
    for (index, Example { tokens, tags, .. }) in examples.iter().enumerate() {
        let (tokens, tags) = (serde_json::to_string(tokens)?, serde_json::to_string(tags)?);
        let before = if index == 0 { "[" } else { "," };
        writeln!(file, "{before}{{\"tokens\":{tokens},\"tags\":{tags}}}")?;
    }
    writeln!(file, "{}", if examples.is_empty() { "[]" } else { "]" })
}

/// One row per sentence, its lists as JSON arrays, because CSV has no lists.
pub(super) fn csv(examples: &[Example], file: &mut impl Write) -> io::Result<()> {
    let quoted = |words: &Vec<String>| serde_json::to_string(words).map(|list| list.replace('"', "\"\""));
    writeln!(file, "tokens,tags")?;
    for Example { tokens, tags, .. } in examples {
        writeln!(file, "\"{}\",\"{}\"", quoted(tokens)?, quoted(tags)?)?;
    }
    Ok(())
}
