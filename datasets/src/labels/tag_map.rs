//! Many tag types as one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::simplify::{INSIDE, OUTSIDE};
use super::tag::{Tag, is_word};
use crate::Example;
use crate::error::{Error, Result, nearest};

/// Rules that give tag types other names, before anything else sees them. Several types may get one name.
///
/// A rule is the name of a type, or a pattern with one `*`, which matches any text: `weather/*`. The rule with the name itself
/// counts first, then the pattern with the most letters, then the first in alphabetical order. Types that no rule names stay as
/// they are. In a configuration this is a table, `{ "weather/*" = "weather" }`.
///
/// Spans stay as they are: two that touch and get the same type are still two.
///
/// ```
/// use datasets::Example;
/// use datasets::labels::TagMap;
///
/// let map = TagMap::new([("weather/*", "weather")])?;
/// let mut examples = [Example::new(["sunny", "weather", "now"], ["B-weather/attribute", "B-weather/noun", "O"])];
/// map.apply(&mut examples)?;
/// assert_eq!(examples[0].tags, ["B-weather", "B-weather", "O"]);
/// # Ok::<(), datasets::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct TagMap(BTreeMap<String, String>);

impl TagMap {
    /// Rules as pairs of a type or pattern and the new type.
    ///
    /// # Errors
    /// [`Error::TagMap`] if a pattern has more than one `*`, or a new type is no word or is `O` or `I`.
    pub fn new<T, U>(rules: impl IntoIterator<Item = (T, U)>) -> Result<Self>
    where
        T: Into<String>,
        U: Into<String>,
    {
        let rules: BTreeMap<String, String> = rules.into_iter().map(|(from, to)| (from.into(), to.into())).collect();
        for (from, to) in &rules {
            if from.matches('*').count() > 1 || !is_word(from) {
                return Err(Error::TagMap(format!(
                    "`{from}` is no rule: use the name of a type, or a pattern with one `*`, such as `weather/*`"
                )));
            }
            if !is_word(to) || to.contains('*') || [OUTSIDE, INSIDE].contains(&to.as_str()) {
                return Err(Error::TagMap(format!(
                    "`{from}` cannot become {to:?}: use the name of a type, one word without whitespace and `*`, and not `O` or `I`"
                )));
            }
        }
        Ok(Self(rules))
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The new name of a type.
    #[must_use]
    pub fn map<'a>(&'a self, kind: &'a str) -> &'a str {
        if let Some(to) = self.0.get(kind) {
            return to;
        }
        // The first of those with the most letters.
        let matching = self.0.iter().rev().filter(|(rule, _)| matches(rule, kind));
        matching.max_by_key(|(rule, _)| rule.len()).map_or(kind, |(_, to)| to.as_str())
    }

    /// Gives the types of all tags their new names.
    ///
    /// # Errors
    /// [`Error::MalformedTag`] if a tag is no BIO tag.
    pub fn apply(&self, examples: &mut [Example]) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        for tag in examples.iter_mut().flat_map(|example| &mut example.tags) {
            *tag = match Tag::parse(tag)? {
                Tag::Outside => continue,
                Tag::Begin(kind) => Tag::Begin(self.map(kind)).to_string(),
                Tag::Inside(kind) => Tag::Inside(self.map(kind)).to_string(),
            };
        }
        Ok(())
    }

    /// Checks that every rule matches a type of `examples`, as they are before [`apply`](Self::apply).
    ///
    /// # Errors
    /// [`Error::TagMap`] with the rule that matches none, the types that there are and the nearest.
    pub fn check(&self, examples: &[Example]) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let tags = examples.iter().flat_map(|example| &example.tags);
        let kinds: BTreeSet<&str> = tags.filter_map(|tag| Tag::parse(tag).ok()?.kind()).collect();
        let unused = self.0.keys().find(|rule| !kinds.iter().any(|kind| rule.as_str() == *kind || matches(rule, kind)));
        let Some(rule) = unused else {
            return Ok(());
        };
        let hint =
            nearest(rule, kinds.iter().copied()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let known: Vec<&str> = kinds.into_iter().collect();
        Err(Error::TagMap(format!(
            "the rule `{rule}` matches no type of the data, which has {}{hint}",
            known.join(", ")
        )))
    }
}

/// Whether `rule` is a pattern that `kind` fits.
fn matches(rule: &str, kind: &str) -> bool {
    let rest = |(before, after): (&str, &str)| kind.strip_prefix(before)?.strip_suffix(after).map(drop);
    rule.split_once('*').and_then(rest).is_some()
}

impl TryFrom<BTreeMap<String, String>> for TagMap {
    type Error = Error;

    fn try_from(rules: BTreeMap<String, String>) -> Result<Self> {
        Self::new(rules)
    }
}

impl From<TagMap> for BTreeMap<String, String> {
    fn from(map: TagMap) -> Self {
        map.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn map(rules: &[(&str, &str)]) -> TagMap {
        TagMap::new(rules.iter().copied()).unwrap()
    }

    #[test]
    fn the_name_counts_before_patterns_and_the_longer_pattern_before_the_shorter() {
        let map = map(&[("*", "any"), ("a/*", "a"), ("a/b*", "ab"), ("a/bc", "abc"), ("*/z", "z")]);
        for (kind, expected) in [("a/bc", "abc"), ("a/bd", "ab"), ("a/c", "a"), ("x", "any"), ("q/z", "z")] {
            assert_eq!(map.map(kind), expected, "{kind}");
        }
        // `a/*` and `*/z` are as long: the alphabet decides.
        assert_eq!(map.map("a/z"), "z");
    }

    #[test]
    fn spans_that_touch_stay_apart_and_other_types_stay_as_they_are() {
        let tags = ["B-w/a", "I-w/a", "B-w/b", "O", "B-time", "I-time"];
        let mut examples = [Example::new(["a", "b", "c", "d", "e", "f"], tags)];
        map(&[("w/*", "w")]).apply(&mut examples).unwrap();
        assert_eq!(examples[0].tags, ["B-w", "I-w", "B-w", "O", "B-time", "I-time"]);
    }

    #[test]
    fn a_rule_that_matches_nothing_is_named_with_what_there_is() {
        let examples = [Example::new(["a", "b"], ["B-weather/noun", "B-time"])];
        map(&[("weather/*", "weather"), ("time", "when")]).check(&examples).unwrap();
        let error = map(&[("wether/noun", "weather")]).check(&examples).unwrap_err().to_string();
        assert_eq!(
            error,
            "the rule `wether/noun` matches no type of the data, which has time, weather/noun; did you mean \
             `weather/noun`?"
        );
    }

    #[test]
    fn a_rule_has_one_star_and_makes_one_word() {
        for (from, to) in
            [("a*b*", "x"), ("a b", "x"), ("", "x"), ("a", "x y"), ("a", ""), ("a", "O"), ("a", "I"), ("a/*", "*")]
        {
            assert!(TagMap::new([(from, to)]).unwrap_err().to_string().starts_with('`'), "{from} {to}");
        }
    }

    #[test]
    fn a_configuration_holds_the_table_alone() {
        let map: TagMap = serde_json::from_str(r#"{"w/*": "w"}"#).unwrap();
        assert_eq!(map.map("w/x"), "w");
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"w/*":"w"}"#);
        assert!(serde_json::from_str::<TagMap>(r#"{"w": "O"}"#).is_err());
    }
}
