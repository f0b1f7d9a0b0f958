//! The nearest known spelling of a word.

/// The least similarity of two words (0 to 1) at which one is suggested for the other.
const ALIKE: f64 = 0.6;

/// The word of `known` whose spelling is most similar to `word`, if one is similar enough to be a likely meaning.
///
/// ```
/// # use hyperloader::config::nearest;
/// let known = ["learning_rate", "warmup_steps"];
/// assert_eq!(nearest("leraning_rate", known), Some("learning_rate"));
/// assert_eq!(nearest("colour", known), None);
/// ```
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let alike = |name: &str| strsim::normalized_damerau_levenshtein(&word, &name.to_lowercase());
    known
        .into_iter()
        .map(|name| (name, alike(name)))
        .filter(|&(_, score)| score >= ALIKE)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(name, _)| name)
}
