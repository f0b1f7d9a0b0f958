//! Plain lines, for logs and pipes.

use std::fmt::{self, Display};
use std::io::Write;
use std::time::Instant;

use super::ProgressOptions;

/// Writes the newest step as a line from time to time. Speeds are averages over the session.
pub(super) struct Lines {
    output: Box<dyn Write + Send>,
    options: ProgressOptions,
    started: Instant,
    /// When the last line was written.
    written: Option<Instant>,
    /// The line of the newest step, if it was not written.
    pending: Option<String>,
    step: usize,
    /// Tokens of this session.
    tokens: usize,
}

impl Lines {
    /// The first step is written at once, later ones at least `options.line_every` apart.
    pub(super) fn new(output: Box<dyn Write + Send>, options: ProgressOptions) -> Self {
        let step = options.done_steps;
        Self { output, options, started: Instant::now(), written: None, pending: None, step, tokens: 0 }
    }

    pub(super) fn step(&mut self, step: usize, loss: f64, tokens: usize) {
        self.step = step;
        self.tokens += tokens;
        self.pending = Some(self.line(loss, self.started.elapsed().as_secs_f64()));
        if self.written.is_none_or(|written| written.elapsed() >= self.options.line_every) {
            self.written = Some(Instant::now());
            self.write_pending();
        }
    }

    /// Writes the last step, if it is on no line yet, and the time of the session.
    pub(super) fn finish(&mut self) {
        self.write_pending();
        let took = Span(self.started.elapsed().as_secs_f64());
        self.write(&format!("finished at step {} after {took}", self.step));
    }

    /// `step 120/65536 (0.2 %)  loss 1.2340  5678 tokens/s  2h 13m left`.
    fn line(&self, loss: f64, seconds: f64) -> String {
        let (step, total) = (self.step, self.options.total_steps);
        let percent = 100.0 * step as f64 / total.max(1) as f64;
        let line = format!("step {step}/{total} ({percent:.1} %)  loss {loss:.4}");
        let done = step.saturating_sub(self.options.done_steps) as f64;
        if done <= 0.0 || seconds <= 0.0 {
            return line;
        }
        let left = total.saturating_sub(step) as f64 * seconds / done;
        format!("{line}  {:.0} tokens/s  {} left", self.tokens as f64 / seconds, Span(left))
    }

    fn write_pending(&mut self) {
        if let Some(line) = self.pending.take() {
            self.write(&line);
        }
    }

    fn write(&mut self, line: &str) {
        // A closed stderr must not stop a training run: its results are in the files.
        let _ = writeln!(self.output, "{line}").and_then(|()| self.output.flush());
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Seconds, shown in their two largest units.
struct Span(f64);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.round() as u64;
        match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
            (0, 0, 0, seconds) => write!(f, "{seconds}s"),
            (0, 0, minutes, seconds) => write!(f, "{minutes}m {seconds:02}s"),
            (0, hours, minutes, _) => write!(f, "{hours}h {minutes:02}m"),
            (days, hours, ..) => write!(f, "{days}d {hours:02}h"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(total_steps: usize, done_steps: usize) -> Lines {
        Lines::new(Box::new(io::sink()), ProgressOptions { total_steps, done_steps, ..ProgressOptions::default() })
    }

    fn run(line_every: Duration) -> Vec<String> {
        let output = Shared::default();
        let options = ProgressOptions { total_steps: 3, line_every, ..ProgressOptions::default() };
        let mut lines = Lines::new(Box::new(output.clone()), options);
        for step in 1..=3 {
            lines.step(step, 0.5, 10);
        }
        lines.finish();
        let bytes = output.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_come_at_once_then_now_and_then_and_at_the_end() {
        let lines = run(Duration::from_secs(3600));
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("step 1/3 (33.3 %)  loss 0.5000"), "{lines:?}");
        assert!(lines[1].starts_with("step 3/3 (100.0 %)"), "{lines:?}");
        assert_eq!(lines[2], "finished at step 3 after 0s");
    }

    #[test]
    fn without_a_pause_every_step_has_one_line() {
        let lines = run(Duration::ZERO);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains('\u{1b}')), "no escape codes: {lines:?}");
    }

    #[test]
    fn a_steady_run_shows_its_speed_and_what_is_left() {
        let mut steady = lines(100, 0);
        (1..=40).for_each(|step| steady.step(step, 1.5, 300));
        let line = steady.line(1.5, 80.0);
        assert_eq!(line, "step 40/100 (40.0 %)  loss 1.5000  150 tokens/s  2m 00s left");
    }

    #[test]
    fn a_resumed_run_counts_only_its_own_steps() {
        let mut resumed = lines(1000, 900);
        resumed.step(901, 0.5, 10);
        let line = resumed.line(0.5, 1.0);
        assert_eq!(line, "step 901/1000 (90.1 %)  loss 0.5000  10 tokens/s  1m 39s left");
    }

    #[test]
    fn no_speed_is_claimed_before_time_has_passed() {
        let mut fresh = lines(10, 0);
        fresh.step(1, 2.0, 5);
        assert_eq!(fresh.line(2.0, 0.0), "step 1/10 (10.0 %)  loss 2.0000");
    }

    #[test]
    fn spans_show_two_units() {
        let shown = [0.4, 59.6, 3599.0, 3600.0, 86_400.0 * 3.5].map(|seconds| Span(seconds).to_string());
        assert_eq!(shown, ["0s", "1m 00s", "59m 59s", "1h 00m", "3d 12h"]);
    }
}
