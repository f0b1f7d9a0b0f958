//! Writing a data set to a file. Each file is replaced whole: after a failure the old content is still there.

#[cfg(feature = "tables")]
mod table;
mod text;

use std::path::Path;

use peft_files::{create_folders, is_stdout, stage, write_atomic};

use super::check;
use super::dataset::Dataset;
use super::format::Format;
use super::seq::{TAGS_FILE, TOKENS_FILE};
use crate::error::{Error, Result};
use crate::example::Example;

/// Writes a data set to the file `path`; `-` is stdout. [`Format::Bio`] becomes `word⇥tag` lines (the order of CoNLL), [`Format::Seq`] a folder of
/// `seq.in` and `seq.out`. Tables get the columns `tokens` and `tags` (lists; JSON arrays in CSV).
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
    let examples = &dataset.examples;
    for (index, example) in examples.iter().enumerate() {
        check::sentence(&example.tokens, &example.tags)
            .and_then(|()| text::fits(example, format))
            .map_err(|reason| Error::file(path, format!("sentence {}: {reason}", index + 1)))?;
    }
    match format {
        Format::Bio => Ok(write_atomic(path, |file| text::bio(examples, file))?),
        Format::Seq => seq(examples, path),
        Format::Jsonl => Ok(write_atomic(path, |file| text::json_lines(examples, file))?),
        #[cfg(feature = "tables")]
        Format::Csv => table::csv(dataset, path),
        #[cfg(feature = "tables")]
        Format::Parquet => table::parquet(dataset, path),
        #[cfg(not(feature = "tables"))]
        Format::Csv | Format::Parquet => Err(Error::without_tables(path, format.name())),
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
