//! The part of an input that belongs to a shard.

use std::ops::Range;

use datasets::read::rows::TextRows;

use super::super::args::PredictArgs;
use super::{Source, input_format};
use crate::Result;
use crate::predict::{InputFormat, Lines};
use crate::shards::{LineSection, Shard};

/// The part of an input that belongs to a shard. Only what is needed to find it has been read.
pub(super) enum Part {
    Lines(LineSection, InputFormat),
    Rows(Box<TextRows>, Range<u64>),
}

impl Part {
    /// The part that belongs to `shard`.
    pub(super) fn of(args: &PredictArgs, shard: Shard) -> Result<Self> {
        match input_format(args) {
            InputFormat::Parquet => {
                let rows = TextRows::open(&args.input, args.column.as_deref())?;
                let own = shard.range(rows.len());
                Ok(Self::Rows(Box::new(rows), own))
            }
            format => Ok(Self::Lines(LineSection::of(&args.input, shard)?, format)),
        }
    }

    /// The bytes of the file that hold it.
    pub(super) fn bytes(&self) -> Range<u64> {
        match self {
            Self::Lines(section, _) => section.bytes(),
            Self::Rows(rows, range) => rows.bytes(range),
        }
    }

    /// Its texts.
    pub(super) fn source(self) -> Result<Source> {
        match self {
            Self::Lines(section, format) => Ok(Source::Lines(Lines::section(&section, format)?)),
            Self::Rows(rows, range) => Ok(Source::Rows(*rows, range)),
        }
    }
}
