//! Which shard a process does: said by its caller, or by the scheduler that started it.

use std::str::FromStr;

use super::Shard;
use crate::{Error, Result};

/// The variable in which Slurm gives a task of an array its number.
const SLURM: &str = "SLURM_ARRAY_TASK_ID";
/// The variable in which Kubernetes gives a pod of an indexed job its number.
const KUBERNETES: &str = "JOB_COMPLETION_INDEX";

/// A shard as a caller names it: `3/16`, `auto` or `auto/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardChoice {
    /// This one.
    Given(Shard),
    /// The scheduler says its number; how many there are, the scheduler says or the caller.
    Auto {
        /// The number of shards, if the caller gave it.
        count: Option<usize>,
    },
}

impl ShardChoice {
    /// The shard, with the variables of this process.
    ///
    /// # Errors
    /// As [`resolve_with`](Self::resolve_with).
    pub fn resolve(self) -> Result<Shard> {
        self.resolve_with(|name| std::env::var(name).ok())
    }

    /// The shard, where `variable` gives the values of the environment.
    ///
    /// `auto` in a Slurm array is task `SLURM_ARRAY_TASK_ID` − `SLURM_ARRAY_TASK_MIN` of `SLURM_ARRAY_TASK_COUNT`. `auto/N` is
    /// `SLURM_ARRAY_TASK_ID`, or else Kubernetes' `JOB_COMPLETION_INDEX`, of `N`.
    ///
    /// # Errors
    /// [`Error::Config`] if neither is set, if the number of shards is not known, or if the numbers do not fit together.
    pub fn resolve_with(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard> {
        let count = match self {
            Self::Given(shard) => return Ok(shard),
            Self::Auto { count } => count,
        };
        let number = |name: &str| -> Result<Option<usize>> {
            let wrong = |text: &str| refused(format!("{name} is {text:?}, not a number"));
            variable(name).map(|text| text.trim().parse().map_err(|_| wrong(&text))).transpose()
        };
        match (number(SLURM)?, count) {
            (Some(id), Some(count)) => numbered(SLURM, id, count, "number the array from 0, as in --array=0-15"),
            (Some(id), None) => slurm(id, number),
            (None, count) => match (number(KUBERNETES)?, count) {
                (Some(index), Some(count)) => numbered(KUBERNETES, index, count, "give the job's completions"),
                (Some(_), None) => Err(refused(format!(
                    "{KUBERNETES} is set, but Kubernetes does not say how many completions the job has; give auto/N, where N is \
                     that number"
                ))),
                (None, _) => Err(refused(format!(
                    "neither {SLURM} (a Slurm array) nor {KUBERNETES} (an indexed job of Kubernetes) is set; give the shard as I/N"
                ))),
            },
        }
    }
}

/// The shard of task `id` of an array whose size Slurm says.
fn slurm(id: usize, number: impl Fn(&str) -> Result<Option<usize>>) -> Result<Shard> {
    let known = |name: &str| {
        number(name)?.ok_or_else(|| refused(format!("{SLURM} is set and {name} is not; give auto/N for N shards")))
    };
    let (count, least) = (known("SLURM_ARRAY_TASK_COUNT")?, known("SLURM_ARRAY_TASK_MIN")?);
    let gap = number("SLURM_ARRAY_TASK_MAX")?.is_some_and(|most| most.checked_sub(least).map(|n| n + 1) != Some(count));
    match id.checked_sub(least).filter(|_| !gap) {
        Some(index) => Shard::new(index, count),
        None => Err(refused(
            "the numbers of the Slurm array have gaps, as if some tasks were started again; give auto/N, where N is the number of all \
             shards, and number the array from 0",
        )),
    }
}

fn numbered(variable: &str, index: usize, count: usize, hint: &str) -> Result<Shard> {
    Shard::new(index, count).map_err(|error| refused(format!("{variable} is {index}: {error}; {hint}")))
}

fn refused(reason: impl std::fmt::Display) -> Error {
    Error::Config(format!("--shard auto: {reason}"))
}

impl FromStr for ShardChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole =
            |text: &str| text.parse::<usize>().map_err(|_| "expected I/N, such as 0/16, or auto, or auto/N".to_owned());
        match text.split_once('/') {
            None if text == "auto" => Ok(Self::Auto { count: None }),
            None => Err(whole("").err().unwrap_or_default()),
            Some(("auto", count)) => match whole(count)? {
                0 => Err("0 shards; give at least 1".to_owned()),
                count => Ok(Self::Auto { count: Some(count) }),
            },
            Some((index, count)) => {
                Shard::new(whole(index)?, whole(count)?).map(Self::Given).map_err(|error| error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// `choice` where `variables` are set: the shard, or why there is none.
    fn resolved(choice: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let set = |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        let shard = choice.parse::<ShardChoice>()?.resolve_with(set);
        shard.map(|shard| shard.to_string()).map_err(|error| error.to_string())
    }

    fn array<'a>(id: &'a str, count: &'a str, least: &'a str, most: &'a str) -> [(&'a str, &'a str); 4] {
        [
            (SLURM, id),
            ("SLURM_ARRAY_TASK_COUNT", count),
            ("SLURM_ARRAY_TASK_MIN", least),
            ("SLURM_ARRAY_TASK_MAX", most),
        ]
    }

    #[test]
    fn a_slurm_array_says_number_and_count_wherever_it_begins() {
        assert_eq!(resolved("auto", &array("0", "16", "0", "15")), Ok("0/16".into()));
        assert_eq!(resolved("auto", &array("16", "16", "1", "16")), Ok("15/16".into()));
        assert_eq!(resolved("auto/16", &array("3", "2", "3", "7")), Ok("3/16".into()), "tasks 3 and 7 again");
    }

    #[test]
    fn kubernetes_says_the_number_and_the_caller_the_count() {
        assert_eq!(resolved("auto/8", &[(KUBERNETES, "7")]), Ok("7/8".into()));
        let message = resolved("auto", &[(KUBERNETES, "7")]).unwrap_err();
        assert!(message.contains("how many completions") && message.contains("auto/N"), "{message}");
    }

    #[test]
    fn what_is_missing_or_does_not_fit_is_named() {
        for (choice, variables, reason) in [
            ("auto", &[][..], "neither SLURM_ARRAY_TASK_ID"),
            ("auto", &[(SLURM, "1")], "SLURM_ARRAY_TASK_COUNT is not"),
            ("auto", &array("3", "2", "3", "7"), "have gaps"),
            ("auto", &array("4", "4", "0", "6"), "have gaps"),
            ("auto/16", &[(SLURM, "16")], "number the array from 0"),
            ("auto/4", &[(KUBERNETES, "4")], "no shard 4 of 4"),
            ("auto/4", &[(SLURM, "x")], "SLURM_ARRAY_TASK_ID is \"x\", not a number"),
        ] {
            let message = resolved(choice, variables).unwrap_err();
            assert!(message.starts_with("--shard auto: ") && message.contains(reason), "{message}");
        }
    }

    #[test]
    fn a_shard_is_written_as_a_fraction() {
        assert_eq!(resolved("3/16", &array("0", "2", "0", "1")), Ok("3/16".into()), "what is given counts");
        for wrong in ["", "3", "a/4", "3/", "/4", "-1/4", "auto/", "auto/x"] {
            assert!(resolved(wrong, &[]).unwrap_err().contains("such as 0/16"), "{wrong}");
        }
        assert!(resolved("4/4", &[]).unwrap_err().contains("3/4"));
        assert!(resolved("auto/0", &[]).unwrap_err().contains("at least 1"));
    }
}
