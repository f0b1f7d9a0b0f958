//! Kinds of errors, counted by type.

use std::collections::BTreeMap;

use super::{Outcome, Sentence, compare};

/// How many spans of one type had each outcome. A pair counts under its gold type, an invented span under its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TypeErrors {
    /// Gold spans that were predicted with type and borders.
    pub correct: usize,
    /// Gold spans that were predicted with another type.
    pub wrong_type: usize,
    /// Gold spans that were predicted with other borders.
    pub wrong_border: usize,
    /// Gold spans without a counterpart.
    pub missed: usize,
    /// Predicted spans without a counterpart.
    pub invented: usize,
}

impl TypeErrors {
    /// The number of spans with `outcome`.
    pub fn of(&self, outcome: Outcome) -> usize {
        match outcome {
            Outcome::Correct => self.correct,
            Outcome::WrongType => self.wrong_type,
            Outcome::WrongBorder => self.wrong_border,
            Outcome::Missed => self.missed,
            Outcome::Invented => self.invented,
        }
    }

    fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Correct => &mut self.correct,
            Outcome::WrongType => &mut self.wrong_type,
            Outcome::WrongBorder => &mut self.wrong_border,
            Outcome::Missed => &mut self.missed,
            Outcome::Invented => &mut self.invented,
        } += 1;
    }
}

/// The outcomes of each type.
pub fn errors_by_type(sentences: &[Sentence]) -> BTreeMap<String, TypeErrors> {
    let mut types: BTreeMap<String, TypeErrors> = BTreeMap::new();
    for sentence in sentences {
        for pair in compare(&sentence.gold, &sentence.predicted) {
            let gold = pair.gold.and_then(|index| sentence.gold.get(index));
            let predicted = pair.predicted.and_then(|index| sentence.predicted.get(index));
            if let Some(span) = gold.or(predicted) {
                types.entry(span.kind.clone()).or_default().add(pair.outcome);
            }
        }
    }
    types
}

/// The outcomes of all spans.
pub fn error_totals(types: &BTreeMap<String, TypeErrors>) -> TypeErrors {
    types.values().fold(TypeErrors::default(), |sum, of| TypeErrors {
        correct: sum.correct + of.correct,
        wrong_type: sum.wrong_type + of.wrong_type,
        wrong_border: sum.wrong_border + of.wrong_border,
        missed: sum.missed + of.missed,
        invented: sum.invented + of.invented,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::sentence;
    use super::*;

    #[test]
    fn a_pair_counts_under_its_gold_type() {
        let sentences =
            [sentence("B-a I-a O B-b", "B-b I-b O B-b"), sentence("B-a I-a O O", "B-a O O B-c"), sentence("B-b", "O")];
        let types = errors_by_type(&sentences);
        assert_eq!(types["a"], TypeErrors { wrong_type: 1, wrong_border: 1, ..TypeErrors::default() });
        assert_eq!(types["b"], TypeErrors { correct: 1, missed: 1, ..TypeErrors::default() });
        assert_eq!(types["c"], TypeErrors { invented: 1, ..TypeErrors::default() });
        let all = TypeErrors { correct: 1, wrong_type: 1, wrong_border: 1, missed: 1, invented: 1 };
        assert_eq!(error_totals(&types), all);
    }
}
