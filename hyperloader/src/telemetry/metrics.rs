//! `metrics.jsonl`: one JSON object per line, appended while the run trains.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::if_there;
use crate::{Error, Result};
use peft_files::write_atomic;

/// One logged optimizer step. The keys are stable: tools and plots rely on them. A number that is infinite or not a
/// number is written as `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRecord {
    /// Optimizer steps done, this one included: the first is 1.
    pub step: usize,
    /// Passes over the data so far, with a fraction.
    pub epoch: f64,
    /// The loss that was differentiated: for the paper's objective a sum over the tokens of the batch.
    pub loss: f64,
    /// `loss` divided by the number of target tokens, comparable between batches.
    pub loss_per_token: f64,
    /// The rate that this step used.
    pub learning_rate: f64,
    /// The global gradient norm before clipping.
    pub grad_norm: f64,
    /// Target tokens, padding excluded, per second of this step.
    pub tokens_per_second: f64,
    /// The task of the batch; `null` if it mixes tasks.
    pub task: Option<String>,
    /// Wall-clock seconds since training started or resumed, without the loading of model and data.
    pub seconds: f64,
}

/// Appends to `metrics.jsonl`.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Opens the log at `path`.
    ///
    /// `resume_step` is the step of the checkpoint that the run continues from. Lines of later steps are removed, since
    /// these steps run again, and so is a last line that a killed process left unfinished. `None` starts a new log and
    /// removes every line.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] naming the line if one before the last is not an object with a `step`.
    pub fn open(path: impl AsRef<Path>, resume_step: Option<usize>) -> Result<Self> {
        let path = path.as_ref();
        let old = if_there(path, fs::read(path))?.unwrap_or_default();
        let kept = match resume_step {
            Some(step) => lines_up_to(&old, step).map_err(|reason| Error::malformed(path, reason))?,
            None => Vec::new(),
        };
        if kept != old {
            write_atomic(path, |file| file.write_all(&kept))?;
        }
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|source| Error::io(path, source))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Appends one object as a line, in one write: a crash can damage only the last line.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Malformed`] if `record` is not an object with an integer `step`.
    pub fn append(&mut self, record: &impl Serialize) -> Result<()> {
        let line = serde_json::to_value(record).and_then(|value| Ok((step_of(&value), serde_json::to_string(record)?)));
        let mut line = match line {
            Ok((Some(_), line)) => line,
            Ok((None, line)) => {
                return Err(Error::malformed(&self.path, format!("a record needs an integer \"step\": {line}")));
            }
            Err(error) => return Err(Error::malformed(&self.path, format!("a record is not JSON: {error}"))),
        };
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|source| Error::io(&self.path, source))
    }
}

#[derive(Deserialize)]
struct Line {
    step: usize,
}

fn step_of(value: &Value) -> Option<u64> {
    value.get("step")?.as_u64()
}

/// The lines of `bytes` whose step is at most `step`; an unfinished last line is left out.
fn lines_up_to(bytes: &[u8], step: usize) -> Result<Vec<u8>, String> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        match serde_json::from_slice::<Line>(line) {
            Ok(parsed) if parsed.step <= step => {
                kept.extend_from_slice(line);
                if !line.ends_with(b"\n") {
                    kept.push(b'\n');
                }
            }
            Ok(_) => {}
            // The start of a JSON object is not a JSON object, so this line was cut.
            Err(_) if lines.peek().is_none() => {}
            Err(_) => {
                return Err(format!(
                    "line {}: expected an object with a \"step\", e.g. {{\"step\":1,\"loss\":0.5}}",
                    index + 1
                ));
            }
        }
    }
    Ok(kept)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn record(step: usize) -> StepRecord {
        StepRecord {
            step,
            epoch: 0.5,
            loss: 12.0,
            loss_per_token: 1.5,
            learning_rate: 3e-4,
            grad_norm: f64::NAN,
            tokens_per_second: 100.0,
            task: Some("atis".to_owned()),
            seconds: 2.0,
        }
    }

    fn steps(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| step_of(&serde_json::from_str(line).unwrap()).unwrap()).collect()
    }

    fn log_of(folder: &Path, count: usize) -> PathBuf {
        let path = folder.join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, None).unwrap();
        for step in 1..=count {
            log.append(&record(step)).unwrap();
        }
        path
    }

    #[test]
    fn a_line_has_the_promised_keys_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = log_of(folder.path(), 1);
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            "{\"step\":1,\"epoch\":0.5,\"loss\":12.0,\"loss_per_token\":1.5,\"learning_rate\":0.0003,\
             \"grad_norm\":null,\"tokens_per_second\":100.0,\"task\":\"atis\",\"seconds\":2.0}\n"
        );
    }

    #[test]
    fn resuming_drops_what_will_come_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = log_of(folder.path(), 5);
        let mut log = MetricsLog::open(&path, Some(3)).unwrap();
        assert_eq!(steps(&path), [1, 2, 3]);
        log.append(&json!({"step": 4, "eval/f1": 0.5})).unwrap();
        assert_eq!(steps(&path), [1, 2, 3, 4]);
    }

    #[test]
    fn starting_afresh_empties_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = log_of(folder.path(), 5);
        MetricsLog::open(&path, None).unwrap();
        assert_eq!(steps(&path), [0_u64; 0]);
    }

    #[test]
    fn damage_before_the_last_line_is_reported_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        for broken in ["{\"step\":1}\nnonsense\n{\"step\":2}\n", "{\"step\":1}\n{\"loss\":1}\n{\"step\":2}\n"] {
            fs::write(&path, broken).unwrap();
            let message = MetricsLog::open(&path, Some(9)).unwrap_err().to_string();
            assert!(message.contains("metrics.jsonl: line 2"), "{message}");
            assert_eq!(fs::read_to_string(&path).unwrap(), broken, "nothing is lost");
        }
    }

    #[test]
    fn a_record_without_a_step_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, None).unwrap();
        assert!(log.append(&json!({"loss": 1.0})).is_err());
        assert!(log.append(&json!([1, 2])).is_err());
        assert_eq!(steps(&path), [0_u64; 0]);
    }

    proptest! {
        #[test]
        fn a_log_cut_anywhere_resumes_with_its_whole_lines(count in 1..6_usize, part in 0.0..1.0_f64, step in 0..7_usize) {
            let folder = tempfile::tempdir().unwrap();
            let path = log_of(folder.path(), count);
            let bytes = fs::read(&path).unwrap();
            let cut = &bytes[..(bytes.len() as f64 * part) as usize];
            fs::write(&path, cut).unwrap();
            let mut log = MetricsLog::open(&path, Some(step)).unwrap();
            let newlines = cut.iter().filter(|byte| **byte == b'\n').count();
            // A line that lacks only its newline is complete.
            let whole = newlines + usize::from(cut.ends_with(b"}"));
            let expected: Vec<u64> = (1..=whole.min(step) as u64).collect();
            prop_assert_eq!(steps(&path), expected);
            log.append(&record(step + 1)).unwrap();
            prop_assert_eq!(steps(&path).last().copied(), Some(step as u64 + 1));
        }
    }
}
