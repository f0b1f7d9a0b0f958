//! The learning rate as a function of the step.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A learning-rate schedule: a linear warm-up to `peak`, then one of three shapes.
///
/// `t` below is the number of optimizer steps already done (0 for the first step), `w` the warm-up, `n` the total.
/// During the warm-up (`t < w`) every schedule is `peak · t / w`, so the first step of a schedule with a warm-up uses
/// rate 0, as in `transformers`, where the scheduler is stepped after the optimizer.
///
/// The default is the paper's: linear, 500 steps of warm-up, 65536 steps in all, peak 3e-4.
///
/// ```
/// # use hyperloader::optim::Schedule;
/// let schedule = Schedule::default();
/// assert_eq!(schedule.lr(0), 0.0);
/// assert_eq!(schedule.lr(250), 1.5e-4);
/// assert_eq!(schedule.lr(500), 3e-4);
/// assert_eq!(schedule.lr(65536), 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// After the warm-up `peak · (n - t) / (n - w)`, and 0 from step `n` on.
    Linear {
        /// The highest rate, reached at step `warmup_steps`.
        #[serde(default = "default_peak")]
        peak: f64,
        /// Steps of warm-up; 0 starts at `peak`.
        #[serde(default = "default_warmup")]
        warmup_steps: usize,
        /// Steps of the whole run, warm-up included.
        #[serde(default = "default_total")]
        total_steps: usize,
    },
    /// `peak` for ever after the warm-up.
    Constant {
        /// The rate after the warm-up.
        #[serde(default = "default_peak")]
        peak: f64,
        /// Steps of warm-up; 0 (the default of this kind) starts at `peak`.
        #[serde(default)]
        warmup_steps: usize,
    },
    /// After the warm-up `peak · (1 + cos(π (t - w) / (n - w))) / 2`, and 0 from step `n` on.
    Cosine {
        /// The highest rate, reached at step `warmup_steps`.
        #[serde(default = "default_peak")]
        peak: f64,
        /// Steps of warm-up; 0 starts at `peak`.
        #[serde(default = "default_warmup")]
        warmup_steps: usize,
        /// Steps of the whole run, warm-up included.
        #[serde(default = "default_total")]
        total_steps: usize,
    },
}

fn default_peak() -> f64 {
    3e-4
}

fn default_warmup() -> usize {
    500
}

fn default_total() -> usize {
    65536
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Linear { peak: default_peak(), warmup_steps: default_warmup(), total_steps: default_total() }
    }
}

impl Schedule {
    /// The learning rate of the step that follows `step` finished ones: `lr(0)` is the rate of the first step.
    #[must_use]
    pub fn lr(&self, step: usize) -> f64 {
        let peak = self.peak();
        let warmup = self.warmup_steps();
        if step < warmup {
            return peak * step as f64 / warmup as f64;
        }
        match *self {
            Self::Constant { .. } => peak,
            Self::Linear { total_steps, .. } => {
                let left = total_steps.saturating_sub(step) as f64;
                peak * (left / decay_steps(warmup, total_steps))
            }
            Self::Cosine { total_steps, .. } => {
                let done = (step - warmup) as f64 / decay_steps(warmup, total_steps);
                peak * (0.5 * (1.0 + (PI * done.min(1.0)).cos()))
            }
        }
    }

    /// The highest rate.
    #[must_use]
    pub fn peak(&self) -> f64 {
        match *self {
            Self::Linear { peak, .. } | Self::Constant { peak, .. } | Self::Cosine { peak, .. } => peak,
        }
    }

    /// Steps of linear warm-up.
    #[must_use]
    pub fn warmup_steps(&self) -> usize {
        match *self {
            Self::Linear { warmup_steps, .. }
            | Self::Constant { warmup_steps, .. }
            | Self::Cosine { warmup_steps, .. } => warmup_steps,
        }
    }

    /// Says whether the rates are usable.
    ///
    /// # Errors
    /// [`Error::Config`] if the peak is negative, infinite or not a number.
    pub fn validate(&self) -> Result<()> {
        let peak = self.peak();
        if peak.is_finite() && peak >= 0.0 {
            return Ok(());
        }
        Err(Error::Config(format!("learning-rate schedule: peak is {peak}; expected a finite number, 0 or more")))
    }
}

/// Steps between the warm-up and the end, at least 1 so that a run that is all warm-up divides by no zero.
fn decay_steps(warmup: usize, total: usize) -> f64 {
    total.saturating_sub(warmup).max(1) as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::goldens::golden;
    use super::*;

    #[test]
    fn linear_equals_the_reference_rates() {
        let Some(path) = golden("schedule.json") else { return };
        let reference: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let schedule = Schedule::Linear {
            peak: reference["peak"].as_f64().unwrap(),
            warmup_steps: reference["warmup"].as_u64().unwrap() as usize,
            total_steps: reference["total"].as_u64().unwrap() as usize,
        };
        let rates = reference["lr_used_by_0_based_step"].as_object().unwrap();
        assert!(rates.len() > 10);
        for (step, rate) in rates {
            let (ours, theirs) = (schedule.lr(step.parse().unwrap()), rate.as_f64().unwrap());
            assert!((ours - theirs).abs() <= 1e-15, "step {step}: {ours} against {theirs}");
        }
    }

    #[test]
    fn linear_falls_to_zero_and_stays_there() {
        let schedule = Schedule::Linear { peak: 1.0, warmup_steps: 2, total_steps: 6 };
        let rates: Vec<f64> = (0..9).map(|step| schedule.lr(step)).collect();
        assert_eq!(rates, [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn constant_keeps_its_peak_after_the_warm_up() {
        let schedule = Schedule::Constant { peak: 2.0, warmup_steps: 4 };
        assert_eq!([0, 1, 4, 1_000_000].map(|step| schedule.lr(step)), [0.0, 0.5, 2.0, 2.0]);
    }

    #[test]
    fn cosine_is_half_way_down_in_the_middle_and_never_rises_again() {
        let schedule = Schedule::Cosine { peak: 1.0, warmup_steps: 10, total_steps: 110 };
        assert_eq!(schedule.lr(10), 1.0);
        assert!((schedule.lr(60) - 0.5).abs() < 1e-15);
        assert!((schedule.lr(35) - (0.5 + 0.125_f64.sqrt())).abs() < 1e-15);
        assert_eq!((schedule.lr(110), schedule.lr(200)), (0.0, 0.0));
    }

    #[test]
    fn a_run_that_is_all_warm_up_stays_finite() {
        let schedule = Schedule::Linear { peak: 1.0, warmup_steps: 5, total_steps: 5 };
        assert_eq!([4, 5, 6].map(|step| schedule.lr(step)), [0.8, 0.0, 0.0]);
    }

    #[test]
    fn toml_fills_in_the_papers_values_and_refuses_unknown_keys() {
        let read = |text: &str| toml::from_str::<Schedule>(text);
        assert_eq!(read("kind = \"linear\"").unwrap(), Schedule::default());
        assert_eq!(read("kind = \"constant\"\npeak = 0.1").unwrap(), Schedule::Constant { peak: 0.1, warmup_steps: 0 });
        let unknown = read("kind = \"linear\"\nwarmup = 3").unwrap_err().to_string();
        assert!(unknown.contains("warmup"), "{unknown}");
        let kind = read("kind = \"liner\"").unwrap_err().to_string();
        assert!(kind.contains("liner") && kind.contains("cosine"), "{kind}");
    }

    #[test]
    fn a_negative_or_infinite_peak_is_refused() {
        for peak in [-1.0, f64::NAN, f64::INFINITY] {
            let schedule = Schedule::Constant { peak, warmup_steps: 0 };
            assert!(matches!(schedule.validate(), Err(Error::Config(_))), "{peak}");
        }
        Schedule::default().validate().unwrap();
    }
}
