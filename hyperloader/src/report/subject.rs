//! What is analyzed: the sentences of one task, as one model labelled them.

use super::read::{Model, Source};
use crate::analysis::Sentence;

/// The sentences of one task, as one model labelled them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) model: &'a str,
    pub(super) task: &'a str,
    pub(super) sentences: &'a [Sentence],
}

impl Subject<'_> {
    /// The model and the task, as the tables name them.
    pub(super) fn name(&self) -> String {
        format!("{} · {}", self.model, self.task)
    }
}

/// Every subject of the sources, task by task.
pub(super) fn subjects(sources: &[Source]) -> Vec<Subject<'_>> {
    let mut all: Vec<Subject<'_>> = sources.iter().flat_map(Source::models).flat_map(model_subjects).collect();
    all.sort_by_key(|subject| subject.task);
    all
}

fn model_subjects(model: &Model) -> impl Iterator<Item = Subject<'_>> {
    model.predictions.iter().map(|(task, sentences)| Subject { model: &model.label, task, sentences })
}
