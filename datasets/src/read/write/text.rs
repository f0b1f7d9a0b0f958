//! BIO, `seq.in`/`seq.out` and JSON Lines.

use std::io::{self, Write};

use crate::example::Example;
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
    match example.tokens.iter().find(|token| lost(token)) {
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
