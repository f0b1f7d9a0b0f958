//! `results.csv` and `results.md` of a suite folder.

mod csv;
mod differences;
mod grid;
mod markdown;
mod paper;
mod results;

pub use differences::{Compared, DRAWS, Differences};
pub use grid::{Average, Grid};
pub use paper::{PaperFigures, paper_figures};
pub use results::SuiteResults;

use std::path::Path;

use crate::Result;
use peft_files::write_atomic;

/// Reads the finished cells of the suite folder `suite` and writes its tables. The differences between systems are tested with
/// `draws` draws of the bootstrap; with 0 draws they are left out.
///
/// # Errors
/// If the folder is no suite, a result cannot be read, or a table cannot be written.
pub fn write_tables(suite: &Path, draws: usize) -> Result<()> {
    let results = SuiteResults::read(suite)?;
    let files = [("results.csv", csv::text(&results)), ("results.md", markdown::text(&results, draws)?)];
    for (name, text) in files {
        write_atomic(suite.join(name), |file| std::io::Write::write_all(file, text.as_bytes()))?;
    }
    Ok(())
}
