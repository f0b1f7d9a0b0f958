//! The two columns of a Parquet file.

use std::io::Cursor;

use polars_arrow::array::Array;
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_buffer::Buffer;
use polars_parquet::arrow::read::schema::parquet_to_arrow_schema;
use polars_parquet::arrow::read::{
    BasicDecompressor, FileMetadata, PageReader, RowGroupMetadata, column_iter_to_arrays, read_metadata,
};

use super::quiet::quietly;
use super::{cells, class_names};
use crate::error::{Error, Place, Result};
use crate::read::cell::Cell;
use crate::read::check::Reason;
use crate::read::collector::Collector;
use crate::read::columns::Columns;

/// Reads a Parquet file with a column of tokens and a column of tags. Its other columns are not touched.
pub(in crate::read) fn read(bytes: &[u8], collector: &mut Collector<'_>) -> Result<()> {
    let path = collector.path();
    let damaged = |reason: Reason| Error::file(path, format!("a damaged Parquet file: {reason}"));
    let contradicts = || "its metadata contradict its content".to_owned();
    let metadata = quietly(|| read_metadata(&mut Cursor::new(bytes)))
        .ok_or_else(|| damaged(contradicts()))?
        .map_err(|error| damaged(error.to_string()))?;
    let names: Vec<&str> = metadata.schema().fields().iter().map(|field| field.name()).collect();
    let columns = Columns::find(&names, collector.options()).map_err(|missing| missing.into_error(path, &names))?;
    columns.check(&names).map_err(|reason| Error::file(path, reason))?;
    collector.decided.columns = Some(columns.described());
    if let Some(names) = class_names_of(&metadata, &columns.tag_name) {
        collector.offer_names(names);
    }
    let mut row = 0;
    for group in &metadata.row_groups {
        let column = |index: usize, name: &str| -> Result<Vec<Cell>> {
            let field = quietly(|| field(&metadata, index)).ok_or_else(|| damaged(contradicts()))?;
            let field = field.map_err(|reason| Error::file(path, format!("column `{name}` {reason}")))?;
            let cells = quietly(|| column(bytes, group, field)).ok_or_else(|| damaged(contradicts()))?;
            cells.map_err(|reason| damaged(format!("column `{name}`: {reason}")))
        };
        let tokens = column(columns.tokens, &columns.token_name)?;
        let tags = column(columns.tags, &columns.tag_name)?;
        if [tokens.len(), tags.len()] != [group.num_rows(); 2] {
            let (tokens, tags, rows) = (tokens.len(), tags.len(), group.num_rows());
            return Err(damaged(format!("{tokens} cells of tokens and {tags} of tags in {rows} rows")));
        }
        for (tokens, tags) in tokens.into_iter().zip(tags) {
            row += 1;
            collector.take(Place::Row(row), columns.words(tokens, tags, collector.has_names()));
        }
    }
    Ok(())
}

fn class_names_of(metadata: &FileMetadata, column: &str) -> Option<Vec<String>> {
    let values = metadata.key_value_metadata().as_ref()?;
    let value = values.iter().find(|pair| pair.key == class_names::KEY)?.value.as_ref()?;
    class_names::of(value, column)
}

/// A column of the file with the type as which it is read. The type comes from Parquet's own schema, which knows no
/// dictionaries: they are an encoding there.
fn field(metadata: &FileMetadata, index: usize) -> Result<Field, Reason> {
    let fields = metadata.schema().fields();
    let wanted = fields.get(index).ok_or("is missing")?;
    if fields.iter().filter(|other| other.name() == wanted.name()).count() > 1 {
        return Err("is there twice".to_owned());
    }
    let schema = parquet_to_arrow_schema(std::slice::from_ref(wanted));
    let (_, field) = schema.get_at_index(0).ok_or("has no content")?;
    match is_read(field.dtype()) {
        true => Ok(field.clone()),
        false => Err(cells::expected(field.dtype())),
    }
}

/// Whether [`cells`] knows a type.
fn is_read(dtype: &ArrowDataType) -> bool {
    match dtype {
        ArrowDataType::LargeList(inner) | ArrowDataType::FixedSizeList(inner, _) => {
            is_item(inner.dtype()) || *inner.dtype() == ArrowDataType::Null
        }
        other => is_item(other),
    }
}

fn is_item(dtype: &ArrowDataType) -> bool {
    dtype.is_view() || *dtype == ArrowDataType::Null || cells::is_whole(dtype)
}

/// The cells of a column in a group of rows.
fn column(bytes: &[u8], group: &RowGroupMetadata, field: Field) -> Result<Vec<Cell>, Reason> {
    let mut pages = Vec::new();
    let mut types = Vec::new();
    for chunk in group.columns_under_root_iter(&field.name).ok_or("missing in a group of rows")? {
        let range = chunk.byte_range();
        let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        let content = range.and_then(|(start, end)| bytes.get(start..end)).ok_or("its content is not in the file")?;
        // Polars reserves what a page's header says that it holds, before it reads it.
        let most = content.len();
        let content = Cursor::new(Buffer::from(content.to_vec()));
        pages.push(BasicDecompressor::new(PageReader::new(content, chunk, Vec::new(), most), Vec::new()));
        types.push(&chunk.descriptor().descriptor.primitive_type);
    }
    let (arrays, _) = column_iter_to_arrays(pages, types, field, None).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for array in arrays {
        let array: &dyn Array = array.as_ref();
        all.extend(cells::of(array)?);
    }
    Ok(all)
}
