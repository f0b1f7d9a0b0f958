//! The report: one self-contained page about runs and suites, and its tables as CSV and Markdown.
//!
//! `read` finds out what the folders hold, [`analysis`](crate::analysis) computes, `tables` and `charts` show it, `browser` picks the
//! sentences that can be looked at, `page` is the template, and `write` replaces the files.

mod browser;
mod charts;
mod options;
mod page;
mod read;
mod subject;
mod tables;
mod write;

pub use options::ReportOptions;
pub use write::Written;

use crate::Result;

/// Reads the runs and suites of `options`, and writes the page and its tables.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) if a folder is neither run nor suite, or a file would be replaced that no report wrote; if
/// a file of a run cannot be read. Nothing is written then.
pub fn report(options: &ReportOptions) -> Result<Written> {
    let targets = write::Targets::check(&options.out)?;
    let sources = read::sources(options)?;
    let page = page::Page::new(&sources, options)?;
    targets.write(&page)
}
