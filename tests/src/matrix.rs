//! `tests/matrix.toml`: which methods there are, and what each promises with every generator on every backbone.

use peft_core::conformance::{Outcome, Report, TestBackbone, check};
use peft_core::{GeneratorConfig, PeftConfig};
use serde::Deserialize;

/// The content of `tests/matrix.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The checks, in the order of the marks.
    pub checks: Vec<String>,
    /// The generators.
    pub generator: Vec<Generator>,
    /// The methods.
    pub method: Vec<Method>,
}

/// A generator of the matrix.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// A name for its tests.
    pub name: String,
    /// Its configuration, as JSON.
    pub config: String,
    /// The backbones that give it what it needs; all if absent.
    #[serde(default)]
    pub backbones: Option<Vec<String>>,
}

/// A method of the matrix.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// A name for its tests.
    pub name: String,
    /// Its configuration, as JSON.
    pub config: String,
    /// One mark a check: `+` it holds, `-` the method does not promise it.
    #[serde(default)]
    pub promises: Option<String>,
}

impl Matrix {
    /// The committed file.
    ///
    /// # Panics
    /// If it is malformed.
    pub fn read() -> Self {
        toml::from_str(include_str!("../matrix.toml")).unwrap_or_else(|e| panic!("tests/matrix.toml: {e}"))
    }
}

impl Method {
    /// The configuration.
    ///
    /// # Panics
    /// If it is malformed.
    pub fn parse(&self) -> Box<dyn PeftConfig> {
        serde_json::from_str(&self.config).unwrap_or_else(|e| panic!("tests/matrix.toml, {}: {e}", self.name))
    }

    /// Compares what the checks find with the promises.
    ///
    /// # Errors
    /// What differs, and the line that the file should have if that is right.
    pub fn compare(&self, generator: &Generator, backbone: &dyn TestBackbone) -> Result<(), String> {
        let report = check(self.parse().as_ref(), generator.parse().as_ref(), backbone).map_err(|e| e.to_string())?;
        let found = marks(&report);
        let differences = match &self.promises {
            Some(promises) => differences(&report, &found, promises),
            None => vec![format!("the file has no promises of it; found\n{report}")],
        };
        if differences.is_empty() {
            return Ok(());
        }
        let (differences, name) = (differences.join("\n"), &self.name);
        let advice = format!("If this is right, the method {name:?} of tests/matrix.toml needs the line");
        Err(format!("{differences}\n{advice}\npromises = \"{found}\""))
    }
}

impl Generator {
    /// Whether the backbone gives what this generator needs.
    pub fn fits(&self, backbone: &str) -> bool {
        self.backbones.as_ref().is_none_or(|names| names.iter().any(|name| name == backbone))
    }

    /// The configuration.
    ///
    /// # Panics
    /// If it is malformed.
    pub fn parse(&self) -> Box<dyn GeneratorConfig> {
        serde_json::from_str(&self.config).unwrap_or_else(|e| panic!("tests/matrix.toml, {}: {e}", self.name))
    }
}

fn marks(report: &Report) -> String {
    let mark = |outcome: &Outcome| match outcome {
        Outcome::Held => '+',
        Outcome::NotApplicable(_) => '-',
        Outcome::Failed(_) => '!',
    };
    report.outcomes.iter().map(|(_, outcome)| mark(outcome)).collect()
}

/// The checks whose mark is another one than `pinned`, and those that failed, which no mark allows.
fn differences(report: &Report, found: &str, pinned: &str) -> Vec<String> {
    let mut pinned = pinned.chars();
    let mut differences = Vec::new();
    for ((check, outcome), found) in report.outcomes.iter().zip(found.chars()) {
        let pinned = pinned.next();
        if found == '!' || pinned != Some(found) {
            let pinned = pinned.map_or("no mark".to_owned(), |mark| mark.to_string());
            differences.push(format!("{check}: the file has {pinned}; found {outcome}"));
        }
    }
    if let Some(mark) = pinned.next() {
        differences.push(format!("the file has a mark {mark} for a check that does not exist"));
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: [Outcome; 2]) -> Report {
        let [one, two] = outcomes;
        Report { method: "TEST".to_owned(), outcomes: vec![("merged", one), ("saved", two)] }
    }

    fn compared(outcomes: [Outcome; 2], pinned: &str) -> Vec<String> {
        let report = report(outcomes);
        differences(&report, &marks(&report), pinned)
    }

    #[test]
    fn what_the_file_says_is_no_difference() {
        let outcomes = [Outcome::Held, Outcome::NotApplicable("no dropout".to_owned())];
        assert_eq!(compared(outcomes, "+-"), [""; 0]);
    }

    #[test]
    fn a_lost_and_a_gained_promise_are_named_with_the_reason() {
        let lost = compared([Outcome::NotApplicable("no weight delta".to_owned()), Outcome::Held], "++");
        assert_eq!(lost, ["merged: the file has +; found not applicable: no weight delta"]);
        let gained = compared([Outcome::Held, Outcome::Held], "+-");
        assert_eq!(gained, ["saved: the file has -; found held"]);
    }

    #[test]
    fn a_failure_is_never_allowed() {
        for pinned in ["+!", "+-", "++"] {
            let failed = compared([Outcome::Held, Outcome::Failed("a gap of 1".to_owned())], pinned);
            assert_eq!(failed.len(), 1);
            assert!(failed[0].ends_with("found FAILED: a gap of 1"), "{failed:?}");
        }
    }

    #[test]
    fn a_row_with_too_few_or_too_many_marks_is_a_difference() {
        let held = || [Outcome::Held, Outcome::Held];
        assert_eq!(compared(held(), "+"), ["saved: the file has no mark; found held"]);
        assert_eq!(compared(held(), "+++"), ["the file has a mark + for a check that does not exist"]);
    }
}
