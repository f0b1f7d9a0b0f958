//! What a run reports while it trains: numbers for programs, curves for TensorBoard, progress for people.
//!
//! - [`Telemetry`] holds all three; the training loop uses only it.
//! - [`MetricsLog`]: `metrics.jsonl`, one object per line, continued cleanly after an interruption.
//! - [`EventWriter`]: `events.out.tfevents.*`, scalars in TensorBoard's own format.
//! - [`Progress`]: a bar on a terminal, plain lines elsewhere, nothing if quiet.
//! - [`print_messages`]: warnings, which the library emits as [`tracing`] events, as plain lines on stderr.

mod messages;
mod metrics;
mod progress;
mod tensorboard;

pub use messages::print_messages;
pub use metrics::{MetricsLog, StepRecord};
pub use progress::{Progress, ProgressOptions};
pub use tensorboard::EventWriter;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use tracing::warn;

use crate::{Error, Result};

/// Where and how a run reports.
#[derive(Debug, Clone)]
pub struct TelemetryOptions {
    /// The run folder, for `metrics.jsonl` and the event file. It is created if it does not exist.
    pub folder: PathBuf,
    /// The step of the checkpoint that the run continues from; `None` starts a new run.
    pub resume_step: Option<usize>,
    /// Steps of the whole run.
    pub total_steps: usize,
    /// Show no progress.
    pub quiet: bool,
    /// The least time between two lines if stderr is not a terminal.
    pub line_every: Duration,
    /// Write TensorBoard events.
    pub tensorboard: bool,
}

/// Metrics log, TensorBoard events and progress display of one session of a run.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Option<MetricsLog>,
    events: Option<EventWriter>,
    progress: Progress,
    started: Instant,
}

impl Telemetry {
    /// Opens all three. A file that cannot be written is left out with a warning, then and later: the result of a run is its
    /// weights, and a log must not stop it.
    ///
    /// # Errors
    /// [`Error::Malformed`] if an earlier `metrics.jsonl` is damaged before its last line.
    pub fn open(options: &TelemetryOptions) -> Result<Self> {
        let folder = &options.folder;
        let made = peft_files::create_folders(folder).map(peft_files::NewFolders::keep).map_err(Error::from);
        let open = || made.and_then(|()| MetricsLog::open(folder.join("metrics.jsonl"), options.resume_step));
        let metrics = written(open())?;
        let create = || EventWriter::create(folder, options.resume_step);
        let events = written(options.tensorboard.then(create).transpose())?.flatten();
        let progress = Progress::new(ProgressOptions {
            total_steps: options.total_steps,
            done_steps: options.resume_step.unwrap_or(0),
            quiet: options.quiet,
            line_every: options.line_every,
        });
        Ok(Self { metrics, events, progress, started: Instant::now() })
    }

    /// Reports nothing: for training inside a program or a test.
    #[must_use]
    pub fn silent() -> Self {
        let progress = Progress::new(ProgressOptions { quiet: true, ..ProgressOptions::default() });
        Self { metrics: None, events: None, progress, started: Instant::now() }
    }

    /// Seconds since this session started.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Moves the progress display: step number `step` is done. Cheap enough for every step.
    pub fn step(&mut self, step: usize, loss_per_token: f64, tokens: usize) {
        self.progress.step(step, loss_per_token, tokens);
    }

    /// Logs a step: one line of `metrics.jsonl`, and the curves `train/…` (the loss per token also by task).
    ///
    /// # Errors
    /// If the record cannot be written as JSON.
    pub fn record(&mut self, record: &StepRecord) -> Result<()> {
        self.append(record)?;
        let per_task = record.task.as_ref().map(|task| format!("train/loss_per_token/{task}"));
        let curves = [
            ("train/epoch", record.epoch),
            ("train/loss", record.loss),
            ("train/loss_per_token", record.loss_per_token),
            ("train/learning_rate", record.learning_rate),
            ("train/grad_norm", record.grad_norm),
            ("train/tokens_per_second", record.tokens_per_second),
        ];
        let per_task = per_task.as_deref().map(|name| (name, record.loss_per_token));
        self.points(record.step, curves.into_iter().chain(per_task))
    }

    /// Logs one number under any name, such as `eval/conll2003/f1`.
    ///
    /// # Errors
    /// As [`Self::scalars`].
    pub fn scalar(&mut self, step: usize, name: &str, value: f64) -> Result<()> {
        self.scalars(step, &[(name, value)])
    }

    /// Logs several numbers of one step: one line `{"step": …, "<name>": …, …}` of `metrics.jsonl`, sorted by name,
    /// and a point on the curve of each name.
    ///
    /// # Errors
    /// [`Error::Config`] if a name is `step`.
    pub fn scalars(&mut self, step: usize, values: &[(&str, f64)]) -> Result<()> {
        if values.iter().any(|(name, _)| *name == "step") {
            return Err(Error::Config("a metric cannot be named \"step\": that key holds the step".to_owned()));
        }
        self.append(&Scalars { step, values: values.iter().copied().collect() })?;
        self.points(step, values.iter().copied())
    }

    /// Writes everything so far to the files: call it with every checkpoint.
    ///
    /// # Errors
    /// None today: a file that cannot be written is left out with a warning.
    pub fn flush(&mut self) -> Result<()> {
        unless_closed(&mut self.events, EventWriter::flush)
    }

    /// Ends the display and flushes the files.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn finish(&mut self) -> Result<()> {
        self.progress.finish();
        self.flush()
    }

    /// Adds a line to `metrics.jsonl`.
    fn append(&mut self, record: &impl Serialize) -> Result<()> {
        unless_closed(&mut self.metrics, |metrics| metrics.append(record))
    }

    /// Adds points to the curves of TensorBoard.
    fn points<'a>(&mut self, step: usize, points: impl IntoIterator<Item = (&'a str, f64)>) -> Result<()> {
        let mut points = points.into_iter();
        unless_closed(&mut self.events, |events| {
            points.try_for_each(|(name, value)| events.scalar(step, name, value as f32))
        })
    }
}

/// Writes to a file that is still open, and closes it if it cannot be written.
fn unless_closed<F>(file: &mut Option<F>, write: impl FnOnce(&mut F) -> Result<()>) -> Result<()> {
    if let Some(open) = file
        && written(write(open))?.is_none()
    {
        *file = None;
    }
    Ok(())
}

/// The value, or `None` and a warning if a file cannot be written.
fn written<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ Error::Io { .. }) => {
            warn!("{error}; the run goes on without writing this file");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[derive(Serialize)]
struct Scalars<'a> {
    step: usize,
    #[serde(flatten)]
    values: BTreeMap<&'a str, f64>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    fn options(folder: &tempfile::TempDir, resume_step: Option<usize>) -> TelemetryOptions {
        TelemetryOptions {
            folder: folder.path().join("run"),
            resume_step,
            total_steps: 10,
            quiet: true,
            line_every: Duration::from_secs(30),
            tensorboard: true,
        }
    }

    fn record(step: usize) -> StepRecord {
        StepRecord {
            step,
            epoch: 0.1,
            loss: 1.0,
            loss_per_token: 0.5,
            learning_rate: 3e-4,
            grad_norm: 2.0,
            tokens_per_second: 9.0,
            task: Some("atis".to_owned()),
            seconds: 1.0,
        }
    }

    /// The bytes of all event files of the run, as text with invalid characters replaced.
    fn events(folder: &tempfile::TempDir) -> String {
        let files = fs::read_dir(folder.path().join("run")).unwrap().map(|file| file.unwrap().path());
        let events = files.filter(|path| path.to_string_lossy().contains("tfevents"));
        events.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect()
    }

    #[test]
    fn a_record_and_a_scalar_reach_the_log_and_the_curves() {
        let folder = tempfile::tempdir().unwrap();
        let mut telemetry = Telemetry::open(&options(&folder, None)).unwrap();
        telemetry.step(1, 0.5, 20);
        telemetry.record(&record(1)).unwrap();
        telemetry.scalar(1, "eval/f1", 0.25).unwrap();
        telemetry.finish().unwrap();
        let log = fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1], "{\"step\":1,\"eval/f1\":0.25}");
        let events = events(&folder);
        for tag in ["train/loss", "train/grad_norm", "train/loss_per_token/atis", "eval/f1"] {
            assert!(events.contains(tag), "{tag}");
        }
    }

    #[test]
    fn a_resumed_run_continues_the_log_after_its_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Telemetry::open(&options(&folder, None)).unwrap();
        for step in 1..=4 {
            first.record(&record(step)).unwrap();
        }
        drop(first);
        let mut second = Telemetry::open(&options(&folder, Some(2))).unwrap();
        second.record(&record(3)).unwrap();
        let log = fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
        let steps: Vec<&str> = log.lines().map(|line| &line[..9]).collect();
        assert_eq!(steps, ["{\"step\":1", "{\"step\":2", "{\"step\":3"]);
        assert_eq!(fs::read_dir(folder.path().join("run")).unwrap().count(), 3);
    }

    #[test]
    fn files_that_cannot_be_written_stop_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("run/metrics.jsonl")).unwrap();
        let mut telemetry = Telemetry::open(&options(&folder, None)).unwrap();
        telemetry.record(&record(1)).unwrap();
        telemetry.finish().unwrap();
        assert!(events(&folder).contains("train/loss"), "the other file is written");
        fs::write(folder.path().join("file"), "").unwrap();
        let nowhere = TelemetryOptions { folder: folder.path().join("file/run"), ..options(&folder, None) };
        let mut telemetry = Telemetry::open(&nowhere).unwrap();
        telemetry.record(&record(1)).unwrap();
        telemetry.finish().unwrap();
    }

    #[test]
    fn a_metric_cannot_take_the_key_of_the_step() {
        let mut telemetry = Telemetry::silent();
        assert!(matches!(telemetry.scalar(1, "step", 1.0), Err(Error::Config(_))));
        telemetry.scalar(1, "eval/f1", 1.0).unwrap();
        telemetry.record(&record(1)).unwrap();
        telemetry.finish().unwrap();
    }
}
