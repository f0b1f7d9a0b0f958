//! The finished cells of a suite folder.

use std::path::Path;

use crate::reproduce::cell::Cell;
use crate::reproduce::outcome::{CellResult, SentenceCounts};
use crate::reproduce::record::{SUITE_FILE, SuiteRecord};
use crate::{Error, Result};

/// A suite folder: what it should hold, and the cells that are finished.
#[derive(Debug, Clone)]
pub struct SuiteResults {
    /// What the folder is for.
    pub record: SuiteRecord,
    /// The finished cells with the counts of each sentence, sorted by system (in the suite's order), fraction, seed and task.
    pub cells: Vec<(CellResult, SentenceCounts)>,
}

impl SuiteResults {
    /// The suite in the folder `suite`.
    ///
    /// # Errors
    /// [`Error::Config`] if it is no suite folder; if a result cannot be read.
    pub fn read(suite: &Path) -> Result<Self> {
        let record = SuiteRecord::read(suite)?
            .ok_or_else(|| Error::Config(format!("{} is no suite folder: it has no {SUITE_FILE}", suite.display())))?;
        let mut cells = Vec::new();
        for system in &record.systems {
            for &fraction in &record.fractions {
                for &seed in &record.seeds {
                    let tasks = std::iter::once(None).chain(record.tasks.iter().cloned().map(Some));
                    for task in tasks {
                        let cell = Cell { system: system.name.clone(), task, fraction, seed };
                        let folder = cell.folder(suite);
                        if let Some(result) = CellResult::read(&folder)? {
                            cells.push((result, CellResult::read_counts(&folder)?));
                        }
                    }
                }
            }
        }
        Ok(Self { record, cells })
    }
}
