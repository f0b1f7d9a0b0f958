//! Collects the sentences of all readers. Only here is it decided whether a bad sentence stops the reading.

use std::path::Path;

use super::check::{self, Reason};
use super::dataset::{Dataset, Origin, Skipped};
use super::format::Format;
use super::options::OnBadLine;
use crate::error::{Error, Place, Result};
use crate::example::Example;

pub(super) struct Collector<'a> {
    path: &'a Path,
    on_bad_line: OnBadLine,
    dataset: Dataset,
}

/// Tokens and tags as a reader found them.
pub(super) type Found = (Vec<String>, Vec<String>);

impl<'a> Collector<'a> {
    pub(super) fn new(path: &'a Path, on_bad_line: OnBadLine) -> Self {
        Self { path, on_bad_line, dataset: Dataset::default() }
    }

    /// The file that is being read.
    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    /// Adds a sentence that begins at `place`, or handles its fault as the options say.
    pub(super) fn take(&mut self, place: Place, found: Result<Found, Reason>) -> Result<()> {
        let checked = found.and_then(|(tokens, tags)| {
            check::sentence(&tokens, &tags)?;
            Ok(Example { tokens, tags, line: Some(place.number()) })
        });
        match (checked, self.on_bad_line) {
            (Ok(example), _) => self.dataset.examples.push(example),
            (Err(reason), OnBadLine::Skip) => self.dataset.skipped.push(Skipped { place, reason }),
            (Err(reason), OnBadLine::Fail) => {
                return Err(Error::BadLine { path: self.path.to_owned(), place, reason });
            }
        }
        Ok(())
    }

    /// The data set of a file. It must not be empty.
    pub(super) fn finish(self, format: Format) -> Result<Dataset> {
        let origin = Origin { path: self.path.to_owned(), format };
        let mut dataset = self.finish_unnamed()?;
        dataset.origin = Some(origin);
        Ok(dataset)
    }

    /// The same for a data set that was not read from a file.
    pub(super) fn finish_unnamed(self) -> Result<Dataset> {
        let Some(first) = self.dataset.skipped.first() else {
            return match self.dataset.examples.is_empty() {
                true => Err(Error::file(self.path, "no sentences in it")),
                false => Ok(self.dataset),
            };
        };
        if self.dataset.examples.is_empty() {
            let count = self.dataset.skipped.len();
            let reason =
                format!("no good sentence in it; {count} skipped, the first at {}: {}", first.place, first.reason);
            return Err(Error::file(self.path, reason));
        }
        Ok(self.dataset)
    }
}
