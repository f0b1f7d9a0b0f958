//! What a person should know about the data of a task before training.

use datasets::Dataset;
use datasets::read::Origin;
use datasets::tokenizer::T5Tokenizer;

use super::corpus::Corpus;
use super::split::SplitName;
use super::survey::{Split, survey, unknown_words};
use crate::Result;

/// Lines about the data of one task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    /// How the files were read: one line for all files that were read in the same way.
    pub decisions: Vec<String>,
    /// What is odd about the sentences.
    pub warnings: Vec<String>,
}

impl Notices {
    /// Reads all splits of a task.
    ///
    /// # Errors
    /// If the data of a split cannot be read, be they those of the test, or the tokenizer fails.
    pub fn of(corpus: &Corpus, tokenizer: &T5Tokenizer) -> Result<Self> {
        let mut notices = Self::default();
        let mut datasets: Vec<(SplitName, Dataset)> = Vec::new();
        for split in [SplitName::Train, SplitName::Validation, SplitName::Test] {
            if corpus.path(split).is_some() {
                datasets.push((split, corpus.dataset(split)?));
            }
        }
        notices.decisions = decisions(&datasets);
        let splits: Vec<Split<'_>> =
            datasets.iter().map(|(name, dataset)| Split::new(*name, &dataset.examples)).collect();
        notices.warnings.extend(survey(&splits));
        notices.warnings.extend(unknown_words(&splits, tokenizer)?);
        Ok(notices)
    }
}

fn decisions(datasets: &[(SplitName, Dataset)]) -> Vec<String> {
    let mut lines: Vec<(Vec<String>, String)> = Vec::new();
    for (split, dataset) in datasets {
        let Some(Origin { format, decided, .. }) = &dataset.origin else {
            continue;
        };
        let line = format!("{format}; {decided}");
        match lines.iter_mut().find(|(_, other)| *other == line) {
            Some((splits, _)) => splits.push(split.to_string()),
            None => lines.push((vec![split.to_string()], line)),
        }
    }
    lines.into_iter().map(|(splits, line)| format!("{}: {line}", splits.join(", "))).collect()
}
