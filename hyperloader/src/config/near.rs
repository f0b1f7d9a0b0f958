//! The nearest right spelling of a wrong word.

/// How alike two words must be (0 to 1) for one to be worth suggesting.
const ALIKE: f64 = 0.6;

/// The one of `known` that is spelled most like `word`, if one is near enough to have been meant.
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
