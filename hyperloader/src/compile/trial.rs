//! The trained and the compiled model on the same sentences.

use std::time::Instant;

use serde::Serialize;

use crate::label::Decoding;
use crate::session::Session;
use crate::tasks::SplitName;
use crate::{Error, Result};

/// The most sentences that both models label.
const SENTENCES: usize = 64;
/// How often they label them; the median time counts.
const ROUNDS: usize = 3;

/// The time that both models took for the same sentences, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Trial {
    /// The number of sentences, each of which both models labelled with the same tags.
    pub sentences: usize,
    /// The time that the trained model took to generate and merge its weights.
    pub prepare_before_ms: f64,
    /// The time that the compiled model took to get ready.
    pub prepare_after_ms: f64,
    /// The time per sentence of the trained model.
    pub sentence_before_ms: f64,
    /// The time per sentence of the compiled model.
    pub sentence_after_ms: f64,
}

/// The tags that one model wrote, and the time it took.
pub(super) struct Measured {
    written: Vec<Vec<String>>,
    prepare_ms: f64,
    sentence_ms: f64,
}

/// The first sentences of the first of the task's validation, test and training data that exists.
pub(super) fn sentences(session: &Session, task: &str) -> Result<Vec<Vec<String>>> {
    let corpus = session.config.corpus(session.config.task(task)?)?;
    let splits = [SplitName::Validation, SplitName::Test, SplitName::Train];
    let there = splits.into_iter().find(|split| corpus.path(*split).is_some_and(|path| path.exists()));
    let Some(split) = there else {
        return Ok(Vec::new());
    };
    let (examples, _) = corpus.read(split)?;
    Ok(examples.into_iter().take(SENTENCES).map(|example| example.tokens).collect())
}

/// The task's tags; with free decoding, `None` if the run folder keeps none.
pub(super) fn tags(session: &Session, task: &str) -> Result<Option<Vec<String>>> {
    let corpus = session.config.corpus(session.config.task(task)?)?;
    match session.config.eval.decoding {
        Decoding::Structured => session.tags_of(&corpus).map(Some),
        Decoding::Free => Ok(session.tags.get(task).cloned()),
    }
}

pub(super) fn measure(session: &Session, task: &str, sentences: &[Vec<String>]) -> Result<Measured> {
    let start = Instant::now();
    let labeller = session.labeller(task)?;
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

/// The trial, after checking that both models wrote the same tags.
pub(super) fn compare(sentences: &[Vec<String>], before: Measured, after: Measured) -> Result<Option<Trial>> {
    if sentences.is_empty() {
        return Ok(None);
    }
    let pairs = before.written.iter().zip(&after.written).zip(sentences);
    for ((before, after), sentence) in pairs {
        if before != after {
            return Err(Error::Training(format!(
                "the compiled model and the trained model write different tags for the sentence {:?}; nothing was kept",
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
