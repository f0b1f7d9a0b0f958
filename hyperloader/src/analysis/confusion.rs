//! Which types are taken for which.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Sentence, compare};

/// Counts of pairs of a gold and a predicted type. Spans are paired as in [`compare`]; a pair with equal types and other borders is
/// on the diagonal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confusion {
    /// By gold type (`None`: the span was invented) and predicted type (`None`: the span was missed).
    counts: BTreeMap<(Option<String>, Option<String>), usize>,
}

impl Confusion {
    /// The counts over `sentences`.
    pub fn of(sentences: &[Sentence]) -> Self {
        let mut counts = BTreeMap::new();
        for sentence in sentences {
            for pair in compare(&sentence.gold, &sentence.predicted) {
                let gold = pair.gold.and_then(|i| sentence.gold.get(i)).map(|span| span.kind.clone());
                let predicted = pair.predicted.and_then(|i| sentence.predicted.get(i)).map(|span| span.kind.clone());
                *counts.entry((gold, predicted)).or_default() += 1;
            }
        }
        Self { counts }
    }

    /// The number of pairs with these types. `None` as gold is an invented span, `None` as predicted a missed one.
    pub fn count(&self, gold: Option<&str>, predicted: Option<&str>) -> usize {
        self.counts.get(&(gold.map(str::to_owned), predicted.map(str::to_owned))).copied().unwrap_or_default()
    }

    /// The pairs with different types and their counts, the most frequent first. Missed and invented spans are not among them.
    pub fn mistaken(&self) -> Vec<(&str, &str, usize)> {
        let pairs = self.counts.iter().filter_map(|((gold, predicted), count)| {
            let (gold, predicted) = (gold.as_deref()?, predicted.as_deref()?);
            (gold != predicted).then_some((gold, predicted, *count))
        });
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_by_key(|(gold, predicted, count)| (Reverse(*count), *gold, *predicted));
        pairs
    }

    /// All types, those with the most spans that are missed, invented or of another type first.
    pub fn types_by_errors(&self) -> Vec<&str> {
        let names: BTreeSet<&str> =
            self.counts.keys().flat_map(|(g, p)| [g.as_deref(), p.as_deref()]).flatten().collect();
        let errors = |name: &str| -> usize {
            let has = |(g, p): &(Option<String>, Option<String>)| {
                g != p && (g.as_deref() == Some(name) || p.as_deref() == Some(name))
            };
            self.counts.iter().filter(|(pair, _)| has(pair)).map(|(_, count)| count).sum()
        };
        let mut names: Vec<(Reverse<usize>, &str)> =
            names.into_iter().map(|name| (Reverse(errors(name)), name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::sentence;
    use super::*;

    #[test]
    fn rows_are_gold_and_columns_predicted() {
        let sentences = [
            sentence("B-a O B-b", "B-b O B-b"),
            sentence("B-a I-a O", "B-a O O"),
            sentence("B-c O O", "O O B-a"),
            sentence("B-a O O", "B-b O O"),
        ];
        let confusion = Confusion::of(&sentences);
        assert_eq!(confusion.count(Some("a"), Some("b")), 2);
        assert_eq!(confusion.count(Some("b"), Some("a")), 0, "it has a direction");
        assert_eq!(confusion.count(Some("a"), Some("a")), 1, "a wrong border is no confusion of types");
        assert_eq!(confusion.count(Some("c"), None), 1, "missed");
        assert_eq!(confusion.count(None, Some("a")), 1, "invented");
        assert_eq!(confusion.mistaken(), [("a", "b", 2)]);
        assert_eq!(confusion.types_by_errors(), ["a", "b", "c"]);
    }
}
