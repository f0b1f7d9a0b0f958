//! How predictions are made and scored: as the paper's authors do, and strictly.

use datasets::Example;
use datasets::encode::decode_tags;
use datasets::labels::restore;
use datasets::metrics::ScoringMode;
use datasets::sample::Rng;
use serde::{Deserialize, Serialize};

use super::statistics::{Counts, sentence_counts};
use crate::Result;
use crate::eval::Prediction;
use crate::label::{Decoding, Labeller};
use crate::session::Session;
use crate::tasks::{Corpus, SplitName};

/// A way to decode and score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// As the authors: whatever the model writes is decoded, sentinels are ignored, and the gold tags are those that are left of the
    /// target after it was cut to `max_target_length` tokens. seqeval's default mode.
    Paper,
    /// Exactly one tag a word, after the word's sentinel; the gold tags are never cut. seqeval's default mode.
    Strict,
    /// As `Strict`, in seqeval's strict mode with IOB2: a span begins only at `B-`.
    StrictIob2,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Paper, Self::Strict, Self::StrictIob2];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Strict => "strict",
            Self::StrictIob2 => "strict-iob2",
        }
    }
}

/// What a model predicts for the test sentences of a task.
#[derive(Debug)]
pub struct TaskPredictions {
    /// The predictions of structured decoding.
    pub predictions: Vec<Prediction>,
    /// The counts of each sentence, by protocol.
    pub counts: Vec<(Protocol, Vec<Counts>)>,
}

/// The test sentences of `corpus`: at most `most`, the same ones in every call; all if `most` is 0. They are in the order of the file.
///
/// # Errors
/// If they cannot be read.
pub fn test_sentences(corpus: &Corpus, most: usize) -> Result<Vec<Example>> {
    let (examples, _) = corpus.read(SplitName::Test)?;
    if most == 0 || examples.len() <= most {
        return Ok(examples);
    }
    let mut chosen = Rng::seeded(0).permutation(examples.len());
    chosen.truncate(most);
    chosen.sort_unstable();
    Ok(chosen.into_iter().filter_map(|at| examples.get(at).cloned()).collect())
}

/// Labels `examples` with the model of `session` and counts spans by each protocol.
///
/// # Errors
/// If labelling fails.
pub fn predict_task(session: &mut Session, corpus: &Corpus, examples: &[Example]) -> Result<TaskPredictions> {
    session.config.eval.decoding = Decoding::Structured;
    let predictions = structured(&session.labeller(&corpus.name)?, examples)?;
    let strict = |mode| {
        let counts = |prediction: &Prediction| sentence_counts(&prediction.gold, &prediction.predicted, mode);
        predictions.iter().map(counts).collect::<Result<Vec<_>>>()
    };
    let (default, iob2) = (strict(ScoringMode::Default)?, strict(ScoringMode::Strict)?);
    session.config.eval.decoding = Decoding::Free;
    let paper = as_in_the_paper(session, corpus, examples)?;
    let counts = vec![(Protocol::Paper, paper), (Protocol::Strict, default), (Protocol::StrictIob2, iob2)];
    Ok(TaskPredictions { predictions, counts })
}

fn structured(labeller: &Labeller<'_>, examples: &[Example]) -> Result<Vec<Prediction>> {
    let labelled = labeller.label(examples.iter().map(|example| example.tokens.as_slice()))?;
    examples.iter().zip(labelled).map(|(example, labelled)| Prediction::new(example, labelled)).collect()
}

fn as_in_the_paper(session: &Session, corpus: &Corpus, examples: &[Example]) -> Result<Vec<Counts>> {
    let labeller = session.labeller(&corpus.name)?;
    let labelled = labeller.label(examples.iter().map(|example| example.tokens.as_slice()))?;
    let targets = corpus.encode(examples, &session.tokenizer)?;
    let count = |(target, labelled): (datasets::encode::PairView<'_>, crate::label::TaggedSentence)| {
        let written = decode_tags(&session.tokenizer, target.target)?;
        let gold = restore(&written.iter().map(|word| corpus.words.tag(word)).collect::<Vec<_>>());
        let predicted = datasets::labels::fit(labelled.tags, gold.len());
        sentence_counts(&gold, &predicted, ScoringMode::Default)
    };
    targets.iter().zip(labelled).map(count).collect()
}
