//! Reading rows with all their columns.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use polars_arrow::array::Array;
use polars_arrow::datatypes::{ArrowSchema, Field};
use polars_buffer::Buffer;
use polars_parquet::arrow::read::schema::parquet_to_arrow_schema;
use polars_parquet::arrow::read::{
    BasicDecompressor, FileMetadata, PageReader, RowGroupMetadata, column_iter_to_arrays, read_metadata,
};

use super::super::cells;
use super::super::quiet::quietly;
use super::added::ADDED;
use crate::error::{Error, Place, Result, nearest, quoted};
use crate::read::cell::Cell;
use crate::read::check::Reason;
use crate::read::columns::{numbered, position};

/// The names that a column of texts usually has.
const USUAL: [&str; 4] = ["text", "tokens", "words", "sentence"];

/// The most rows that are held at once besides their group.
const AT_ONCE: usize = 1 << 14;

/// A Parquet file, each row of which holds a text.
#[derive(Debug)]
pub struct TextRows {
    path: PathBuf,
    file: File,
    metadata: FileMetadata,
    /// All columns, with the types as which they are read. Parquet's own schema decides, which knows no dictionaries.
    schema: ArrowSchema,
    /// The column of texts.
    column: usize,
}

/// What a row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowText {
    /// A text. A row without one has the empty text.
    Text(String),
    /// Its words.
    Words(Vec<String>),
}

/// Some rows: their texts, and all their columns.
pub struct Rows {
    /// The number of the first row in the file, counted from 0.
    pub first: u64,
    /// The text of each row.
    pub texts: Vec<RowText>,
    pub(super) columns: Vec<Box<dyn Array>>,
}

impl TextRows {
    /// Opens the file at `path`, of which only the description at the end is read. The texts are in `column`, which is a name or a
    /// number counted from 1; by default in `text`, `tokens`, `words` or `sentence`.
    ///
    /// # Errors
    /// If the file cannot be read or is no Parquet file, or if it has no such column.
    pub fn open(path: impl AsRef<Path>, column: Option<&str>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let mut file = File::open(&path).map_err(Error::io(&path))?;
        let refused = |reason: String| Error::file(&path, format!("not a Parquet file, or a damaged one: {reason}"));
        let metadata = quietly(|| read_metadata(&mut file))
            .ok_or_else(|| refused(contradiction()))?
            .map_err(|error| refused(error.to_string()))?;
        let schema = quietly(|| parquet_to_arrow_schema(metadata.schema().fields()));
        let schema = schema.ok_or_else(|| refused(contradiction()))?;
        let names: Vec<&str> = metadata.schema().fields().iter().map(|field| field.name()).collect();
        if let Some(name) = names.iter().find(|name| names.iter().filter(|other| other == name).count() > 1) {
            return Err(Error::file(&path, format!("two columns are called `{name}`; rename one of them")));
        }
        let column = find(column, &names).ok_or_else(|| unknown(&path, column, &names))?;
        let mut counts = metadata.row_groups.iter().map(|group| group.num_rows() as u64);
        counts.try_fold(0u64, u64::checked_add).ok_or_else(|| refused(contradiction()))?;
        Ok(Self { path, file, metadata, schema, column })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of rows.
    pub fn len(&self) -> u64 {
        self.metadata.row_groups.iter().map(|group| group.num_rows() as u64).sum()
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of the file that hold `rows`, and other rows of the same groups.
    pub fn bytes(&self, rows: &Range<u64>) -> Range<u64> {
        let groups = self.groups(rows.clone()).map(|(group, ..)| group.full_byte_range());
        groups.reduce(|all, one| all.start.min(one.start)..all.end.max(one.end)).unwrap_or(0..0)
    }

    /// Refuses a file that has one of the columns that [`LabelledRows`](super::LabelledRows) adds.
    ///
    /// # Errors
    /// Naming the column.
    pub fn check_free(&self) -> Result<()> {
        match ADDED.into_iter().find(|name| self.schema.get(name).is_some()) {
            Some(name) => Err(Error::file(
                &self.path,
                format!("it has a column `{name}` already, which would be written; rename that or leave it out"),
            )),
            None => Ok(()),
        }
    }

    /// The rows of `range`, from the first to the last, in parts that fit in memory. Of each group of rows, all is read.
    ///
    /// # Errors
    /// Each part: if it cannot be read, a row holds neither a text nor a list of words, or one of the words is blank.
    pub fn rows(&self, range: Range<u64>) -> impl Iterator<Item = Result<Rows>> {
        let groups: Vec<_> = self.groups(range).map(|(group, first, own)| (group.clone(), first, own)).collect();
        groups.into_iter().flat_map(move |(group, first, own)| {
            let (read, failed) = match self.group(&group) {
                Ok(columns) => (Some(columns), None),
                Err(error) => (None, Some(Err(error))),
            };
            let parts = read.into_iter().flat_map(move |columns| {
                let starts = own.clone().step_by(AT_ONCE);
                let end = own.end;
                starts.map(move |start| self.part(&columns, first, start..end.min(start + AT_ONCE)))
            });
            parts.chain(failed)
        })
    }

    pub(super) fn schema(&self) -> &ArrowSchema {
        &self.schema
    }

    /// The groups that hold rows of `range`: each with the number of its first row in the file, and its own rows in question.
    fn groups(&self, range: Range<u64>) -> impl Iterator<Item = (&RowGroupMetadata, u64, Range<usize>)> {
        let mut next = 0;
        let placed = self.metadata.row_groups.iter().map(move |group| {
            let first = next;
            next += group.num_rows() as u64;
            let own = |row: u64| row.clamp(first, next).saturating_sub(first) as usize;
            (group, first, own(range.start)..own(range.end))
        });
        placed.filter(|(_, _, own)| !own.is_empty())
    }

    /// All columns of a group.
    fn group(&self, group: &RowGroupMetadata) -> Result<Vec<Box<dyn Array>>> {
        let damaged = |name: &str, reason: Reason| {
            Error::file(&self.path, format!("column `{name}`: {reason}; the file is damaged, or the type is not known"))
        };
        let read = |field: &Field| {
            let contents = self.contents(group, field).map_err(|reason| damaged(&field.name, reason))?;
            let array = quietly(|| array(group, field, contents)).unwrap_or_else(|| Err(contradiction()));
            let array = array.map_err(|reason| damaged(&field.name, reason))?;
            match array.len() == group.num_rows() {
                true => Ok(array),
                false => Err(damaged(&field.name, format!("{} cells in {} rows", array.len(), group.num_rows()))),
            }
        };
        self.schema.iter_values().map(read).collect()
    }

    /// The bytes of the chunks of a column.
    fn contents(&self, group: &RowGroupMetadata, field: &Field) -> Result<Vec<Vec<u8>>, Reason> {
        let chunks = group.columns_under_root_iter(&field.name).ok_or("missing in a group of rows")?;
        let read = |range: Range<u64>| -> std::io::Result<Vec<u8>> {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(range.start))?;
            let mut bytes = Vec::new();
            file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        chunks.map(|chunk| read(chunk.byte_range()).map_err(|error| error.to_string())).collect()
    }

    /// The rows `own` of a group, whose first row is number `first` of the file.
    fn part(&self, columns: &[Box<dyn Array>], first: u64, own: Range<usize>) -> Result<Rows> {
        let columns: Vec<_> = columns.iter().map(|column| column.sliced(own.start, own.len())).collect();
        let first = first + own.start as u64;
        let name = self.schema.get_at_index(self.column).map(|(name, _)| name.as_str()).unwrap_or_default();
        let texts = columns.get(self.column).ok_or_else(contradiction).and_then(|array| cells::of(array.as_ref()));
        let texts = texts.map_err(|reason| Error::file(&self.path, format!("column `{name}` {reason}")))?;
        let text = |(row, cell): (u64, Cell)| {
            text_of(cell).map_err(|reason| Error::BadLine {
                path: self.path.clone(),
                place: Place::Row((row + 1) as usize),
                reason: format!("column `{name}`: {reason}"),
            })
        };
        let texts = (first..).zip(texts).map(text).collect::<Result<_>>()?;
        Ok(Rows { first, texts, columns })
    }
}

fn contradiction() -> Reason {
    "its metadata contradict its content".to_owned()
}

fn find(given: Option<&str>, names: &[&str]) -> Option<usize> {
    match given {
        Some(name) => names.iter().position(|other| *other == name).or_else(|| numbered(name, names.len())),
        None => USUAL.iter().find_map(|name| position(name, names)),
    }
}

fn unknown(path: &Path, given: Option<&str>, names: &[&str]) -> Error {
    let wanted = given.map_or_else(|| USUAL.to_vec(), |name| vec![name]);
    Error::UnknownColumn {
        path: path.to_path_buf(),
        nearest: wanted.iter().find_map(|name| nearest(name, names.iter().copied())),
        wanted: quoted(&wanted),
        present: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn text_of(cell: Cell) -> Result<RowText, Reason> {
    match cell {
        Cell::Empty => Ok(RowText::Text(String::new())),
        Cell::Text(text) => Ok(RowText::Text(text)),
        Cell::Texts(words) => match words.iter().position(|word| word.trim().is_empty()) {
            Some(blank) => Err(format!("word {} is blank; leave it out", blank + 1)),
            None => Ok(RowText::Words(words)),
        },
        Cell::Numbers(_) => Err("expected a text or a list of words, found a list of numbers".to_owned()),
        Cell::Other(reason) => Err(reason),
    }
}

/// A column of a group as one array.
fn array(group: &RowGroupMetadata, field: &Field, contents: Vec<Vec<u8>>) -> Result<Box<dyn Array>, Reason> {
    let chunks = group.columns_under_root_iter(&field.name).ok_or("missing in a group of rows")?;
    let (mut pages, mut types) = (Vec::new(), Vec::new());
    for (chunk, content) in chunks.zip(contents) {
        // Polars reserves what a page's header says that it holds, before it reads it.
        let most = content.len();
        let content = Cursor::new(Buffer::from(content));
        pages.push(BasicDecompressor::new(PageReader::new(content, chunk, Vec::new(), most), Vec::new()));
        types.push(&chunk.descriptor().descriptor.primitive_type);
    }
    let (arrays, _) = column_iter_to_arrays(pages, types, field.clone(), None).map_err(|error| error.to_string())?;
    let parts: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    match parts.as_slice() {
        [one] => Ok((*one).to_boxed()),
        parts => polars_arrow::compute::concatenate::concatenate(parts).map_err(|error| error.to_string()),
    }
}
