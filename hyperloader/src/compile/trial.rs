//! Two models on the same sentences.

use std::time::Instant;

use serde::Serialize;

use crate::config::Decoding;
use crate::session::Session;
use crate::tasks::{Corpus, SplitName};
use crate::{Error, Result};

/// How many sentences both models label.
const SENTENCES: usize = 64;
/// How often; the median counts.
const ROUNDS: usize = 3;

/// What both models took for the same sentences, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Trial {
    /// Sentences, all labelled with the same tags by both models.
    pub sentences: usize,
    /// To generate and fold the weights, before.
    pub prepare_before_ms: f64,
    /// To fold nothing, after.
    pub prepare_after_ms: f64,
    /// Per sentence, before.
    pub sentence_before_ms: f64,
    /// Per sentence, after.
    pub sentence_after_ms: f64,
}

/// What one model wrote, and how long it took.
pub(super) struct Measured {
    written: Vec<Vec<String>>,
    prepare_ms: f64,
    sentence_ms: f64,
}

/// The first sentences of the task's validation data, or of its test or training data.
pub(super) fn sentences(session: &Session, task: &str) -> Result<Vec<Vec<String>>> {
    let corpus = Corpus::new(&session.config, session.config.task(task)?)?;
    let splits = [SplitName::Validation, SplitName::Test, SplitName::Train];
    let there = splits.into_iter().find(|split| corpus.path(*split).is_some_and(|path| path.exists()));
    let Some(split) = there else {
        return Ok(Vec::new());
    };
    let (examples, _) = corpus.read(split)?;
    Ok(examples.into_iter().take(SENTENCES).map(|example| example.tokens).collect())
}

/// The task's tags; free decoding does without those that cannot be had.
pub(super) fn tags(session: &Session, task: &str) -> Result<Option<Vec<String>>> {
    let corpus = Corpus::new(&session.config, session.config.task(task)?)?;
    match session.config.eval.decoding {
        Decoding::Structured => session.tags_of(&corpus).map(Some),
        Decoding::Free => Ok(session.tags.get(task).cloned()),
    }
}

pub(super) fn measure(session: &Session, task: &str, sentences: &[Vec<String>]) -> Result<Measured> {
    let corpus = Corpus::new(&session.config, session.config.task(task)?)?;
    let start = Instant::now();
    let labeller = session.labeller(&corpus)?;
    let prepare_ms = milliseconds(start);
    let (mut written, mut rounds) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let labelled = labeller.label(sentences)?;
        rounds.push(milliseconds(start));
        written = labelled.into_iter().map(|labelled| labelled.tags).collect();
    }
    rounds.sort_by(f64::total_cmp);
    let median = rounds.get(ROUNDS / 2).copied().unwrap_or_default();
    Ok(Measured { written, prepare_ms, sentence_ms: median / sentences.len().max(1) as f64 })
}

/// The trial, once it is certain that both models wrote the same.
pub(super) fn compare(sentences: &[Vec<String>], before: Measured, after: Measured) -> Result<Option<Trial>> {
    if sentences.is_empty() {
        return Ok(None);
    }
    let pairs = before.written.iter().zip(&after.written).zip(sentences);
    for ((before, after), sentence) in pairs {
        if before != after {
            return Err(Error::Training(format!(
                "the compiled model does not write what the trained one does, for the sentence {:?}; nothing was kept",
                sentence.join(" ")
            )));
        }
    }
    Ok(Some(Trial {
        sentences: sentences.len(),
        prepare_before_ms: before.prepare_ms,
        prepare_after_ms: after.prepare_ms,
        sentence_before_ms: before.sentence_ms,
        sentence_after_ms: after.sentence_ms,
    }))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
