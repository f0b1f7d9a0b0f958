//! The data of the browser, as JSON with short keys.

use serde::Serialize;

use super::super::subject::Subject;
use super::choose::choose;
use super::corpora::{Corpus, corpora};
use crate::analysis::{Outcome, Sentence, compare};
use crate::eval::PredictedSpan;

/// The most sentences of the page, each counted once for every model that labelled it.
const MOST_IN_ALL: usize = 12_000;

/// What the script reads.
#[derive(Debug, Serialize)]
pub(in crate::report) struct BrowserData {
    pub(in crate::report) corpora: Vec<CorpusData>,
}

/// One corpus.
#[derive(Debug, Serialize)]
pub(in crate::report) struct CorpusData {
    pub(in crate::report) name: String,
    /// How many of its sentences are here, in words.
    pub(in crate::report) note: String,
    models: Vec<String>,
    sentences: Vec<SentenceData>,
}

impl CorpusData {
    /// The number of sentences that are here.
    pub(in crate::report) fn len(&self) -> usize {
        self.sentences.len()
    }
}

#[derive(Debug, Serialize)]
struct SentenceData {
    /// The number of the sentence in the corpus, counted from 1.
    n: usize,
    /// The words.
    w: Vec<String>,
    /// The gold spans: first word, word after the last, type.
    g: Vec<(usize, usize, String)>,
    /// For each model, the matches.
    p: Vec<Vec<MatchData>>,
}

/// The outcome (0 correct, 1 wrong type, 2 wrong border, 3 missed, 4 invented), the number of the gold span (or -1), and the
/// predicted span (first word, word after the last, type, confidence) if there is one.
type MatchData = (u8, i64, Option<(usize, usize, String, Option<f64>)>);

/// The data of all corpora, with at most `most` sentences of each.
pub(in crate::report) fn browser_data(subjects: &[Subject<'_>], most: usize) -> BrowserData {
    let most = most.min((MOST_IN_ALL / subjects.len().max(1)).max(10));
    BrowserData { corpora: corpora(subjects).iter().map(|corpus| corpus_data(corpus, most)).collect() }
}

fn corpus_data(corpus: &Corpus<'_>, most: usize) -> CorpusData {
    let gold: &[Sentence] = corpus.subjects.first().map_or(&[], |subject| subject.sentences);
    let of = |index: usize| corpus.subjects.iter().filter_map(move |subject| subject.sentences.get(index));
    let wrong: Vec<bool> = (0..gold.len()).map(|index| of(index).any(Sentence::is_wrong)).collect();
    let chosen = choose(&wrong, most);
    let sentence = |index: &usize| {
        let sentence = gold.get(*index)?;
        let g = sentence.gold.iter().map(|span| (span.start, span.end, span.kind.clone())).collect();
        Some(SentenceData { n: index + 1, w: sentence.words.clone(), g, p: of(*index).map(matches).collect() })
    };
    let note = match chosen.len() == gold.len() {
        true => format!("All {} sentences.", gold.len()),
        false => {
            let all = wrong.iter().filter(|wrong| **wrong).count();
            let shown = chosen.iter().filter(|index| wrong.get(**index) == Some(&true)).count();
            format!(
                "{} of {} sentences: the first {shown} of {all} that a model got wrong, and the first {} of {} that all got right.",
                chosen.len(),
                gold.len(),
                chosen.len() - shown,
                gold.len() - all
            )
        }
    };
    CorpusData {
        name: corpus.name.clone(),
        note,
        models: corpus.subjects.iter().map(|subject| subject.model.to_owned()).collect(),
        sentences: chosen.iter().filter_map(sentence).collect(),
    }
}

fn matches(sentence: &Sentence) -> Vec<MatchData> {
    let span = |span: &PredictedSpan| {
        let score = span.score.map(|score| (score * 1000.).round() / 1000.);
        (span.start, span.end, span.kind.clone(), score)
    };
    let one = |pair: crate::analysis::Match| {
        let outcome = match pair.outcome {
            Outcome::Correct => 0,
            Outcome::WrongType => 1,
            Outcome::WrongBorder => 2,
            Outcome::Missed => 3,
            Outcome::Invented => 4,
        };
        let gold = pair.gold.and_then(|index| i64::try_from(index).ok()).unwrap_or(-1);
        (outcome, gold, pair.predicted.and_then(|index| sentence.predicted.get(index)).map(span))
    };
    compare(&sentence.gold, &sentence.predicted).into_iter().map(one).collect()
}
