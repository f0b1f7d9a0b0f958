//! What a report is about and where it goes.

use std::path::PathBuf;

use crate::tasks::SplitName;

/// What a report is about and where it goes.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    /// The folders of runs and suites.
    pub inputs: Vec<PathBuf>,
    /// The page, a file that ends in `.html`; `-` is stdout. The tables get the same name with `.csv` and `.md`.
    pub out: PathBuf,
    /// The split whose scores and predictions are shown.
    pub split: SplitName,
    /// The most sentences of a corpus that the page holds.
    pub sentences: usize,
}
