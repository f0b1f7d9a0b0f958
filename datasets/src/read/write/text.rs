//! BIO, `seq.in`/`seq.out`, CSV and JSON.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use peft_files::check_contents;

use crate::example::Example;
use crate::labels::{Tag, looks_like_tag};
use crate::read::bio::DOCUMENT_START;
use crate::read::check::Reason;
use crate::read::format::Format;
use crate::read::lines::BOM;
use crate::read::text::decode;

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

/// Checks that the reader of BIO, which looks for the column with more tags, finds the tags of these sentences. Types alone are
/// no tags to it, but a word such as `O` is one.
pub(super) fn columns(examples: &[Example]) -> Result<(), Reason> {
    let pairs = || examples.iter().flat_map(|example| example.tokens.iter().zip(&example.tags));
    // Lines that begin with `#` may be comments, and do not count.
    let counted = || pairs().filter(|(token, _)| !token.starts_with('#'));
    let tokens = counted().filter(|(token, _)| looks_like_tag(token)).count();
    match tokens > counted().filter(|(_, tag)| looks_like_tag(tag)).count() {
        true => {
            Err("more tokens than tags look like tags, so that the two cannot be told apart; write `jsonl`".to_owned())
        }
        false => Ok(()),
    }
}

/// Checks that `seq.in` and `seq.out` with these sentences are not taken for another kind of file: text in UTF-16, a pointer of Git
/// LFS, or a web page. Other formats begin with characters of their own, or are read again.
pub(super) fn begins(examples: &[Example], path: &Path) -> Result<(), Reason> {
    // Every sentence has two bytes, and no more than the first eight count, besides the words of a pointer.
    let examples = examples.get(..4).unwrap_or(examples);
    let (mut tokens, mut tags) = (Vec::new(), Vec::new());
    let written = seq(examples, |e| &e.tokens, &mut tokens).and_then(|()| seq(examples, |e| &e.tags, &mut tags));
    written.map_err(|error| error.to_string())?;
    let same = |text: &Vec<u8>| {
        let read = decode(Cow::Borrowed(text), path, None, None);
        check_contents(path, text).is_ok() && read.is_ok_and(|(read, _)| *read == *text)
    };
    match [tokens, tags].iter().all(same) {
        true => Ok(()),
        false => Err("a file that begins with these words is not read as `seq`; write `jsonl`".to_owned()),
    }
}

/// The sentences as a file of text. `seq` is two files and has none.
pub(super) fn write(examples: &[Example], format: Format, mut file: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Bio => bio(examples, &mut file),
        Format::Jsonl => json_lines(examples, &mut file),
        Format::Json => json(examples, &mut file),
        Format::Csv => csv(examples, &mut file),
        Format::Seq | Format::Mtod | Format::Mtop | Format::Parquet => Ok(()),
    }
}

/// `word⇥tag` lines with a blank line after each sentence.
fn bio(examples: &[Example], file: &mut impl Write) -> io::Result<()> {
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
fn json_lines(examples: &[Example], file: &mut impl Write) -> io::Result<()> {
    for Example { tokens, tags, .. } in examples {
        let (tokens, tags) = (serde_json::to_string(tokens)?, serde_json::to_string(tags)?);
        writeln!(file, "{{\"tokens\":{tokens},\"tags\":{tags}}}")?;
    }
    Ok(())
}

/// One array with an object per line.
fn json(examples: &[Example], file: &mut impl Write) -> io::Result<()> {
    for (index, Example { tokens, tags, .. }) in examples.iter().enumerate() {
        let (tokens, tags) = (serde_json::to_string(tokens)?, serde_json::to_string(tags)?);
        let before = if index == 0 { "[" } else { "," };
        writeln!(file, "{before}{{\"tokens\":{tokens},\"tags\":{tags}}}")?;
    }
    writeln!(file, "{}", if examples.is_empty() { "[]" } else { "]" })
}

/// One row per sentence, its lists as JSON arrays, because CSV has no lists.
fn csv(examples: &[Example], file: &mut impl Write) -> io::Result<()> {
    let quoted = |words: &Vec<String>| serde_json::to_string(words).map(|list| list.replace('"', "\"\""));
    writeln!(file, "tokens,tags")?;
    for Example { tokens, tags, .. } in examples {
        writeln!(file, "\"{}\",\"{}\"", quoted(tokens)?, quoted(tags)?)?;
    }
    Ok(())
}
