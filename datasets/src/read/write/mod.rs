//! Writing a data set to a file. Each file is replaced whole: after a failure the old content is still there.

mod scheme;
#[cfg(feature = "tables")]
mod table;
mod text;

use std::path::Path;

use peft_files::{create_folders, is_stdout, stage, write_atomic};

pub use scheme::changed_by;

use super::check::{self, Reason};
use super::dataset::Dataset;
use super::format::Format;
use super::seq::{TAGS_FILE, TOKENS_FILE};
use crate::error::{Error, Result};
use crate::example::Example;
use crate::labels::TagScheme;

/// Writes a data set with the tags that it has, in [`TagScheme::Iob2`], to the file `path`; `-` is stdout.
///
/// [`Format::Bio`] becomes `word⇥tag` lines (the order of CoNLL), [`Format::Seq`] a folder of `seq.in` and `seq.out`. Tables get the columns `tokens` and `tags` (lists; JSON arrays in CSV).
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] if a sentence breaks the rules (see [the module](super)), if a token cannot be
/// written in the format (a token with a line end in BIO, or with a blank in `seq`), and for [`Format::Mtod`] and
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
    let clear = if format == Format::Bio { text::columns(examples) } else { Ok(()) };
    clear.and_then(|()| text::begins(examples, format, path)).map_err(|reason| Error::file(path, reason))?;
    match format {
        Format::Bio => Ok(write_atomic(path, |file| text::bio(examples, file))?),
        Format::Seq => seq(examples, path),
        Format::Jsonl => Ok(write_atomic(path, |file| text::json_lines(examples, file))?),
        Format::Json => Ok(write_atomic(path, |file| text::json(examples, file))?),
        Format::Csv => Ok(write_atomic(path, |file| text::csv(examples, file))?),
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

/// Writes both files before either gets its name, so that a failure leaves an older pair whole.
fn seq(examples: &[Example], folder: &Path) -> Result<()> {
    if is_stdout(folder) {
        return Err(Error::file(
            folder,
            "`seq` is a folder of two files, which stdout cannot hold; write another format",
        ));
    }
    let made = create_folders(folder)?;
    let (tokens, ()) = stage(folder.join(TOKENS_FILE), |file| text::seq(examples, |e| &e.tokens, file))?;
    let (tags, ()) = stage(folder.join(TAGS_FILE), |file| text::seq(examples, |e| &e.tags, file))?;
    tokens.commit()?;
    tags.commit()?;
    made.keep();
    Ok(())
}
