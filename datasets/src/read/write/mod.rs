//! Writing a data set to a file. Each file is replaced whole: after a failure the old content is still there.

mod scheme;
#[cfg(feature = "tables")]
mod table;
mod text;

use std::io::Write;
use std::path::Path;

use peft_files::{create_folders, is_stdout, stage, write_atomic};

pub use scheme::changed_by;

use super::check::{self, Reason};
use super::dataset::Dataset;
use super::file::parse;
use super::format::Format;
use super::options::ReadOptions;
use super::seq::{TAGS_FILE, TOKENS_FILE};
use super::text::Compression;
use crate::error::{Error, Result};
use crate::example::Example;
use crate::labels::TagScheme;

/// Writes a data set with the tags that it has, in [`TagScheme::Iob2`], to the file `path`; `-` is stdout.
///
/// [`Format::Bio`] becomes `word⇥tag` lines (the order of CoNLL), [`Format::Seq`] a folder of `seq.in` and `seq.out`. Tables get the columns `tokens` and `tags` (lists; JSON arrays in CSV). A text file whose name ends
/// with `.gz` or `.zst` is compressed.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] if a sentence breaks the rules (see [the module](super)), if a token cannot be
/// written in the format (a token with a line end in BIO, or with a blank in `seq`), if sentences in BIO would be read as
/// something else, for Parquet with a name that promises compression, and for [`Format::Mtod`] and
/// [`Format::Mtop`], which need more than tokens and tags; [`Error::WithoutTables`] if the format needs the feature
/// `tables`.
///
/// ```
/// use datasets::read::{Dataset, Example, Format, ReadOptions, read, write};
/// # let folder = tempfile::tempdir()?;
/// let dataset = Dataset::from_examples(vec![Example::new(["to", "rome"], ["O", "B-city"])]);
/// let path = folder.path().join("train.jsonl");
/// write(&dataset, &path, Format::Jsonl)?;
/// assert_eq!(read(&path, &ReadOptions::default())?.examples[0].tokens, ["to", "rome"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(dataset: &Dataset, path: impl AsRef<Path>, format: Format) -> Result<()> {
    let path = path.as_ref();
    check_sentences(dataset, path, check::sentence)?;
    write_checked(dataset, path, format)
}

/// Writes a data set as [`write()`] does, with its IOB2 tags in another scheme. [`changed_by`] says how many sentences are
/// read back with other tags.
///
/// # Errors
/// As [`write()`]; [`Error::BadFile`] if a type cannot be written in the scheme.
pub fn write_as(dataset: &Dataset, path: impl AsRef<Path>, format: Format, scheme: TagScheme) -> Result<()> {
    if scheme == TagScheme::Iob2 {
        return write(dataset, path, format);
    }
    let path = path.as_ref();
    check_sentences(dataset, path, check::sentence)?;
    let converted = scheme::converted(dataset, scheme).map_err(|error| Error::file(path, error.to_string()))?;
    check_sentences(&converted, path, check::shape)?;
    write_checked(&converted, path, format)
}

/// Checks the rules of every sentence.
fn check_sentences(
    dataset: &Dataset,
    path: &Path,
    rules: fn(&[String], &[String]) -> Result<(), Reason>,
) -> Result<()> {
    dataset.examples.iter().enumerate().try_for_each(|(index, example)| {
        rules(&example.tokens, &example.tags)
            .map_err(|reason| Error::file(path, format!("sentence {}: {reason}", index + 1)))
    })
}

/// Writes sentences whose rules are checked, if the format can hold them.
fn write_checked(dataset: &Dataset, path: &Path, format: Format) -> Result<()> {
    let examples = &dataset.examples;
    for (index, example) in examples.iter().enumerate() {
        text::fits(example, format).map_err(|reason| Error::file(path, format!("sentence {}: {reason}", index + 1)))?;
    }
    match format {
        Format::Bio | Format::Jsonl | Format::Json | Format::Csv => file(examples, path, format),
        Format::Seq => seq(examples, path),
        #[cfg(feature = "tables")]
        Format::Parquet if Compression::named(path).is_some() => {
            Err(Error::file(path, "Parquet has its own compression: write a name that ends with .parquet"))
        }
        #[cfg(feature = "tables")]
        Format::Parquet => table::parquet(dataset, path),
        #[cfg(not(feature = "tables"))]
        Format::Parquet => Err(Error::without_tables(path, format.name())),
        Format::Mtod | Format::Mtop => Err(Error::file(
            path,
            format!("`{format}` needs utterances and intents, which are not kept; write another format"),
        )),
    }
}

/// Writes a file of text, compressed if its name says so.
fn file(examples: &[Example], path: &Path, format: Format) -> Result<()> {
    let write = |file: &mut dyn Write| text::write(examples, format, file);
    let compression = Compression::named(path);
    if format != Format::Bio && compression.is_none() {
        return Ok(write_atomic(path, |file| write(file))?);
    }
    let mut content = Vec::new();
    write(&mut content).map_err(Error::io(path))?;
    if format == Format::Bio {
        text::columns(examples).map_err(|reason| Error::file(path, reason))?;
        comes_back(examples, &content, path)?;
    }
    let content = match compression {
        Some(compression) => compression.pack(&content, path)?,
        None => content,
    };
    Ok(write_atomic(path, |file| file.write_all(&content))?)
}

/// Checks that a file of columns is not taken for another kind of file, and that its first line and its columns are not taken for
/// others: what is read back are these tokens.
fn comes_back(examples: &[Example], content: &[u8], path: &Path) -> Result<()> {
    // Every tag is one in this scheme, so that only the tokens decide.
    let options = ReadOptions { scheme: Some(TagScheme::Bare), ..ReadOptions::default() };
    let same = match examples.is_empty() {
        true => true,
        false => parse(content, path, Format::Bio, &options).is_ok_and(|again| {
            again.examples.iter().map(|example| &example.tokens).eq(examples.iter().map(|example| &example.tokens))
        }),
    };
    match same {
        true => Ok(()),
        false => {
            let reason = "these sentences cannot be told from another kind of file or from names of columns as `bio`; write `jsonl`";
            Err(Error::file(path, reason))
        }
    }
}

/// Writes both files before either gets its name, so that a failure leaves an older pair whole.
fn seq(examples: &[Example], folder: &Path) -> Result<()> {
    if is_stdout(folder) {
        return Err(Error::file(
            folder,
            "`seq` is a folder of two files, which stdout cannot hold; write another format",
        ));
    }
    text::begins(examples, folder).map_err(|reason| Error::file(folder, reason))?;
    let made = create_folders(folder)?;
    let (tokens, ()) = stage(folder.join(TOKENS_FILE), |file| text::seq(examples, |e| &e.tokens, file))?;
    let (tags, ()) = stage(folder.join(TAGS_FILE), |file| text::seq(examples, |e| &e.tags, file))?;
    tokens.commit()?;
    tags.commit()?;
    made.keep();
    Ok(())
}
