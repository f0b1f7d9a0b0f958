//! Kinds of errors and scores by type.

use datasets::metrics::{ScoringMode, TypeScore, score};

use super::{Cell, Table};
use crate::Result;
use crate::analysis::{Outcome, error_totals, errors_by_type};
use crate::report::subject::Subject;

/// How many spans of `subject` had each outcome.
pub(in crate::report) fn outcomes(subject: &Subject<'_>) -> Table {
    let all = error_totals(&errors_by_type(subject.sentences));
    let gold = all.correct + all.wrong_type + all.wrong_border + all.missed;
    let row = |outcome: Outcome| {
        let count = all.of(outcome);
        let of_gold = match (outcome, gold) {
            (Outcome::Invented, _) | (_, 0) => Cell::none(),
            (_, gold) => Cell::bar(count as f64 / gold as f64),
        };
        vec![Cell::text(outcome.name()), Cell::count(count), of_gold]
    };
    Table::new("outcomes", subject.name(), format!("What became of {gold} gold spans, and what was invented"))
        .head(["outcome", "spans", "% of gold"])
        .rows([Outcome::Correct].into_iter().chain(Outcome::ERRORS).map(row))
}

/// The scores of each type with its gold spans (support) and errors, the most frequent type first.
///
/// # Errors
/// If a tag is not a BIO tag.
pub(in crate::report) fn types(subject: &Subject<'_>) -> Result<Table> {
    let sentences = subject.sentences;
    let (gold, predicted): (Vec<_>, Vec<_>) = sentences.iter().map(|s| (&s.gold_tags, &s.predicted_tags)).unzip();
    let report = score(&gold, &predicted, ScoringMode::Default)?;
    let errors = errors_by_type(sentences);
    let mut types: Vec<(&String, &TypeScore)> = report.per_type.iter().collect();
    types.sort_by_key(|(name, score)| (std::cmp::Reverse(score.support), *name));
    let row = |(name, score): (&String, &TypeScore)| {
        let errors = errors.get(name).copied().unwrap_or_default();
        let mut row = vec![Cell::text(name), Cell::bar(score.f1), Cell::count(score.support)];
        row.extend([Cell::percent(score.precision), Cell::percent(score.recall)]);
        row.extend(Outcome::ERRORS.map(|outcome| Cell::count(errors.of(outcome))));
        row
    };
    let head = ["type", "F1", "support", "precision", "recall"].into_iter().chain(Outcome::ERRORS.map(Outcome::name));
    let caption = format!("Scores by type in percent; micro-F1 of all types {:.2}", 100. * report.micro_f1);
    Ok(Table::new("types", subject.name(), caption).head(head).rows(types.into_iter().map(row)))
}
