//! The learning rate as a function of the step.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use crate::{Error, Result};

/// A learning-rate schedule: a linear warm-up to `peak`, then the shape of `kind`.
///
/// With `t` optimizer steps done, `w` warm-up steps and `n` total steps, the rate during the warm-up (`t < w`) is
/// `peak · t / w`. The first step of a schedule with a warm-up therefore uses rate 0, as in `transformers`, which steps the
/// scheduler after the optimizer.
///
/// The default is the paper's: linear, peak 3e-4, 500 warm-up steps of 65536.
///
/// ```
/// # use hyperloader::optim::Schedule;
/// let schedule = Schedule::default();
/// assert_eq!(schedule.lr(0), 0.0);
/// assert_eq!(schedule.lr(250), 1.5e-4);
/// assert_eq!(schedule.lr(500), 3e-4);
/// assert_eq!(schedule.lr(65536), 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, SmartDefault)]
pub struct Schedule {
    /// The shape after the warm-up.
    pub kind: ScheduleKind,
    /// The highest rate, reached at step `warmup_steps`.
    #[default(3e-4)]
    pub peak: f64,
    /// Steps of warm-up; 0 starts at `peak`.
    #[default(500)]
    pub warmup_steps: usize,
    /// Steps of the whole run, warm-up included. A constant schedule ignores it.
    #[default(65_536)]
    pub total_steps: usize,
}

/// The shape of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// `peak · (n - t) / (n - w)`, and 0 from step `n` on.
    #[default]
    Linear,
    /// `peak`.
    Constant,
    /// `peak · (1 + cos(π (t - w) / (n - w))) / 2`, and 0 from step `n` on.
    Cosine,
}

impl Schedule {
    /// The learning rate of the step that follows `step` finished ones: `lr(0)` is the rate of the first step.
    #[must_use]
    pub fn lr(&self, step: usize) -> f64 {
        let Self { kind, peak, warmup_steps, total_steps } = *self;
        if step < warmup_steps {
            return peak * step as f64 / warmup_steps as f64;
        }
        // At least 1: a run that is all warm-up must not divide by zero.
        let decay_steps = total_steps.saturating_sub(warmup_steps).max(1) as f64;
        match kind {
            ScheduleKind::Constant => peak,
            ScheduleKind::Linear => peak * (total_steps.saturating_sub(step) as f64 / decay_steps),
            ScheduleKind::Cosine => {
                let done = (step - warmup_steps) as f64 / decay_steps;
                peak * (0.5 * (1.0 + (PI * done.min(1.0)).cos()))
            }
        }
    }

    /// Checks that the rates are usable.
    ///
    /// # Errors
    /// [`Error::Config`] if the peak is negative, infinite or not a number.
    pub fn validate(&self) -> Result<()> {
        if self.peak.is_finite() && self.peak >= 0.0 {
            return Ok(());
        }
        let peak = self.peak;
        Err(Error::Config(format!("learning-rate schedule: peak is {peak}; expected a finite number, 0 or more")))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn linear_falls_to_zero_and_stays_there() {
        let schedule = Schedule { kind: ScheduleKind::Linear, peak: 1.0, warmup_steps: 2, total_steps: 6 };
        let rates: Vec<f64> = (0..9).map(|step| schedule.lr(step)).collect();
        assert_eq!(rates, [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn constant_keeps_its_peak_after_the_warm_up() {
        let kind = ScheduleKind::Constant;
        let schedule = Schedule { kind, peak: 2.0, warmup_steps: 4, ..Schedule::default() };
        assert_eq!([0, 1, 4, 1_000_000].map(|step| schedule.lr(step)), [0.0, 0.5, 2.0, 2.0]);
    }

    #[test]
    fn cosine_is_half_way_down_in_the_middle_and_never_rises_again() {
        let schedule = Schedule { kind: ScheduleKind::Cosine, peak: 1.0, warmup_steps: 10, total_steps: 110 };
        assert_eq!(schedule.lr(10), 1.0);
        assert!((schedule.lr(60) - 0.5).abs() < 1e-15);
        assert!((schedule.lr(35) - (0.5 + 0.125_f64.sqrt())).abs() < 1e-15);
        assert_eq!((schedule.lr(110), schedule.lr(200)), (0.0, 0.0));
    }

    #[test]
    fn a_run_that_is_all_warm_up_stays_finite() {
        let schedule = Schedule { kind: ScheduleKind::Linear, peak: 1.0, warmup_steps: 5, total_steps: 5 };
        assert_eq!([4, 5, 6].map(|step| schedule.lr(step)), [0.8, 0.0, 0.0]);
    }

    #[test]
    fn toml_names_the_shapes_and_an_unknown_one_is_refused() {
        #[derive(Deserialize)]
        struct Table {
            kind: ScheduleKind,
        }
        let read = |text: &str| toml::from_str::<Table>(text).map(|table| table.kind);
        assert_eq!(read("kind = \"linear\"").unwrap(), ScheduleKind::default());
        assert_eq!(read("kind = \"constant\"").unwrap(), ScheduleKind::Constant);
        let unknown = read("kind = \"liner\"").unwrap_err().to_string();
        assert!(unknown.contains("liner") && unknown.contains("cosine"), "{unknown}");
    }

    #[test]
    fn a_negative_or_infinite_peak_is_refused() {
        for peak in [-1.0, f64::NAN, f64::INFINITY] {
            let schedule = Schedule { peak, ..Schedule::default() };
            assert!(matches!(schedule.validate(), Err(Error::Config(_))), "{peak}");
        }
        Schedule::default().validate().unwrap();
    }
}
