//! Speed and time left, smoothed over the last few dozen steps.

use std::fmt;

/// What each new step leaves of the weight of the earlier ones.
const KEEP: f64 = 0.95;

/// Follows a run from step to step.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    total: usize,
    done: usize,
    loss: Option<f64>,
    steps: f64,
    tokens: f64,
    seconds: f64,
}

impl Meter {
    /// A run of `total` steps of which `done` are done.
    pub(super) fn new(total: usize, done: usize) -> Self {
        Self { total, done, ..Self::default() }
    }

    /// Step number `step` is done: it took `seconds` since the last call and went through `tokens`.
    pub(super) fn observe(&mut self, step: usize, loss: f64, tokens: usize, seconds: f64) {
        self.steps = KEEP * self.steps + step.saturating_sub(self.done) as f64;
        self.tokens = KEEP * self.tokens + tokens as f64;
        self.seconds = KEEP * self.seconds + seconds;
        self.done = step;
        self.loss = Some(loss);
    }

    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Loss, speed and time left, as far as they are known.
    pub(super) fn details(&self) -> String {
        let Some(loss) = self.loss else { return String::new() };
        if self.steps <= 0.0 || self.seconds <= 0.0 {
            return format!("loss {loss:.4}");
        }
        let left = self.total.saturating_sub(self.done) as f64 * self.seconds / self.steps;
        format!("loss {loss:.4}  {:.0} tokens/s  {} left", self.tokens / self.seconds, Span(left))
    }
}

/// `step 120/65536 (0.2 %)  loss 1.2340  5678 tokens/s  2h 13m left`.
impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = 100.0 * self.done as f64 / self.total.max(1) as f64;
        write!(f, "step {}/{} ({percent:.1} %)  {}", self.done, self.total, self.details())
    }
}

/// Seconds, shown with the two largest units that matter.
pub(super) struct Span(pub(super) f64);

impl fmt::Display for Span {
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
mod tests {
    use super::*;

    #[test]
    fn a_steady_run_shows_its_speed_and_what_is_left() {
        let mut meter = Meter::new(100, 0);
        for step in 1..=40 {
            meter.observe(step, 1.5, 300, 2.0);
        }
        assert_eq!(meter.to_string(), "step 40/100 (40.0 %)  loss 1.5000  150 tokens/s  2m 00s left");
    }

    #[test]
    fn a_resumed_run_counts_only_its_own_steps() {
        let mut meter = Meter::new(1000, 900);
        meter.observe(901, 0.5, 10, 1.0);
        assert_eq!(meter.to_string(), "step 901/1000 (90.1 %)  loss 0.5000  10 tokens/s  1m 39s left");
    }

    #[test]
    fn the_newest_steps_weigh_most() {
        let mut meter = Meter::new(1000, 0);
        for step in 1..=200 {
            meter.observe(step, 1.0, 100, if step <= 100 { 10.0 } else { 1.0 });
        }
        let speed: f64 = meter.tokens / meter.seconds;
        assert!((90.0..100.0).contains(&speed), "{speed}");
    }

    #[test]
    fn nothing_is_claimed_before_the_first_step() {
        assert_eq!(Meter::new(10, 0).details(), "");
        let mut meter = Meter::new(10, 0);
        meter.observe(1, 2.0, 5, 0.0);
        assert_eq!(meter.details(), "loss 2.0000");
    }

    #[test]
    fn spans_show_two_units() {
        let shown = [0.4, 59.6, 3599.0, 3600.0, 86_400.0 * 3.5].map(|seconds| Span(seconds).to_string());
        assert_eq!(shown, ["0s", "1m 00s", "59m 59s", "1h 00m", "3d 12h"]);
    }
}
