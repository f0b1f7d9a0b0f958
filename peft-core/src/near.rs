//! "Did you mean": the nearest right spelling of a wrong word.

/// How alike two words must be, from 0 to 1, before one is suggested for the other.
const THRESHOLD: f64 = 0.6;

/// How alike two words are, from 0 to 1, without regard to case: one minus the Damerau-Levenshtein distance (insertions,
/// deletions, substitutions and swaps of neighbors) divided by the length of the longer word.
pub fn likeness(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&a.to_lowercase(), &b.to_lowercase())
}

/// The word of `known` that is most like `word`, if their likeness is at least 0.6.
///
/// ```
/// use peft_core::near::nearest;
///
/// let known = ["learning_rate", "warmup_steps"];
/// assert_eq!(nearest("leraning_rate", known), Some("learning_rate"));
/// assert_eq!(nearest("color", known), None);
/// ```
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (name, likeness(word, name)));
    let near = scored.filter(|(_, score)| *score >= THRESHOLD);
    near.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(name, _)| name)
}

/// `" did you mean \"learning_rate\"?"`, or nothing if no word of `known` is near enough: ready to follow a semicolon.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |name| format!(" did you mean {name:?}?"))
}
