//! The curves of a run, from its `metrics.jsonl`.

use std::collections::BTreeMap;
use std::path::Path;

use peft_files::read_text;
use serde_json::{Map, Value};

use crate::analysis::thinned;
use crate::{Error, Result};

/// The most points of a curve.
const MOST_POINTS: usize = 160;

/// What a run logged, by step.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::report) struct Curves {
    /// The loss per token.
    pub(in crate::report) loss: Vec<(f64, f64)>,
    /// The mean micro-F1 on the validation sentences, in [0, 1].
    pub(in crate::report) validation: Vec<(f64, f64)>,
    /// The last step that was logged.
    pub(in crate::report) steps: usize,
}

impl Curves {
    /// The curves of the log at `path`; empty if there is none.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the line that is no object with a `step`. A killed process may have cut the last line; it is left
    /// out.
    pub(super) fn read(path: &Path) -> Result<Self> {
        if !path.is_file() {
            return Ok(Self::default());
        }
        Self::parse(&read_text(path)?).map_err(|reason| Error::malformed(path, reason))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut curves: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        let mut steps = 0;
        let mut lines = text.lines().enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            let record: Option<Map<String, Value>> = serde_json::from_str(line).ok();
            let step = record.as_ref().and_then(|record| record.get("step")?.as_u64());
            let (Some(record), Some(step)) = (record, step) else {
                match lines.peek() {
                    None => break,
                    Some(_) => return Err(format!("line {}: expected an object with a \"step\"", index + 1)),
                }
            };
            for key in ["loss_per_token", "validation/average_micro_f1"] {
                if let Some(value) = record.get(key).and_then(Value::as_f64) {
                    curves.entry(key).or_default().push((step as f64, value));
                }
            }
            steps = steps.max(usize::try_from(step).unwrap_or(usize::MAX));
        }
        let mut curve = |key: &str| thinned(&curves.remove(key).unwrap_or_default(), MOST_POINTS);
        Ok(Self { loss: curve("loss_per_token"), validation: curve("validation/average_micro_f1"), steps })
    }

    /// The step and the value of the best validation.
    pub(in crate::report) fn best(&self) -> Option<(f64, f64)> {
        self.validation.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn losses_and_validations_are_told_apart_and_a_cut_line_is_left_out() {
        let log = "{\"step\":1,\"loss_per_token\":2.5}\n{\"step\":2,\"loss_per_token\":null}\n\
                   {\"step\":2,\"validation/average_micro_f1\":0.5}\n{\"step\":3,\"loss_per";
        let curves = Curves::parse(log).unwrap();
        assert_eq!(
            (curves.loss.as_slice(), curves.validation.as_slice()),
            ([(1., 2.5)].as_slice(), [(2., 0.5)].as_slice())
        );
        assert_eq!((curves.steps, curves.best()), (2, Some((2., 0.5))));
        assert!(Curves::parse("{\"step\":1}\nnonsense\n{\"step\":2}\n").unwrap_err().contains("line 2"));
    }
}
