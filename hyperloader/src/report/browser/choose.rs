//! Which sentences of a corpus the page holds.

/// The indices of at most `most` sentences, in their order. Three quarters of the places are for sentences that a model got wrong;
/// places that one kind does not need are for the other.
pub(super) fn choose(wrong: &[bool], most: usize) -> Vec<usize> {
    let of = |kind: bool| wrong.iter().enumerate().filter(move |(_, wrong)| **wrong == kind).map(|(index, _)| index);
    let (bad, good) = (of(true).count(), of(false).count());
    let places = (most - most / 4).max(most.saturating_sub(good)).min(bad);
    let mut chosen: Vec<usize> = of(true).take(places).chain(of(false).take(most - places)).collect();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_places_are_for_errors_and_none_stays_empty() {
        let wrong = [false, true, true, false, true, false, true, false];
        assert_eq!(choose(&wrong, 4), [0, 1, 2, 4], "three wrong ones and a right one");
        assert_eq!(choose(&wrong, 100), (0..8).collect::<Vec<_>>());
        assert_eq!(choose(&[true, true, true, true], 3), [0, 1, 2]);
        assert_eq!(choose(&[false, false, true], 2), [0, 2]);
        assert_eq!(choose(&wrong, 0), [0; 0]);
    }
}
