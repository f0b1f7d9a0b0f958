//! What a check of gradients found.

use std::fmt;

/// How many variables of one verdict are displayed.
const SHOWN: usize = 8;

/// What is known of the gradient of one variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Verdict {
    /// The loss moves with the variable, but the backward pass gives no gradient, or zeros.
    Missing,
    /// The backward pass gives another derivative than the loss has.
    Wrong,
    /// There is no gradient, and the loss does not move with the variable: it takes no part in the loss.
    Unused,
    /// Not compared on its own: the check stops after a few variables whose gradients are wrong.
    Unchecked,
    /// There is a gradient, but neither it nor the loss shows a derivative that is larger than the errors of the differences. Nothing is
    /// known of this gradient alone then; together with others it may have been found right. (The bias of attention keys is such a variable: a softmax does not see it.)
    Flat,
    /// The gradient is the derivative of the loss.
    Right,
}

impl Verdict {
    /// Whether a variable with this verdict must not train.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Missing | Self::Wrong | Self::Unused)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Unused => "unused",
            Self::Unchecked => "unchecked",
            Self::Flat => "flat",
            Self::Right => "right",
        })
    }
}

/// What was found about one variable.
#[derive(Debug, Clone, PartialEq)]
pub struct VariableReport {
    /// The name of the variable.
    pub name: String,
    /// What follows from the numbers.
    pub verdict: Verdict,
    /// The derivative of the loss by finite differences, along the direction where it differs most from `found`. If several
    /// variables were moved together, it is their sum.
    pub expected: f64,
    /// The same derivative by the backward pass: gradient times direction.
    pub found: f64,
    /// `|expected - found|`, relative to the larger of them; zero if both are zero. For variables that were moved together the
    /// difference is relative to the sum of the absolute values of all.
    pub error: f64,
}

impl fmt::Display for VariableReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, verdict, expected, found, error } = self;
        match verdict {
            Verdict::Unused | Verdict::Flat | Verdict::Unchecked => write!(f, "{name}"),
            Verdict::Missing => write!(f, "{name} (expected {expected:.3e} by finite differences, found none)"),
            Verdict::Wrong | Verdict::Right => write!(
                f,
                "{name} (expected {expected:.3e} by finite differences, found {found:.3e}: off by {:.2} %)",
                100. * error
            ),
        }
    }
}

/// What a [`GradientCheck`](super::GradientCheck) found.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a report may say that gradients are wrong; `into_result` makes it an error"]
pub struct GradientReport {
    /// One entry a variable, in the order in which they were given.
    pub variables: Vec<VariableReport>,
    /// Frozen tensors that are part of the gradient graph.
    pub frozen: Vec<String>,
    /// How many forward passes it took.
    pub passes: usize,
}

impl GradientReport {
    /// Whether every variable may train: none has a wrong gradient or none at all, and nothing frozen has one.
    pub fn is_right(&self) -> bool {
        self.frozen.is_empty() && !self.variables.iter().any(|variable| variable.verdict.is_bad())
    }

    /// The variables with this verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &VariableReport> {
        self.variables.iter().filter(move |variable| variable.verdict == verdict)
    }

    /// How many variables have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.with(verdict).count()
    }

    /// The largest relative error of a gradient that is right.
    pub fn largest_error(&self) -> f64 {
        self.with(Verdict::Right).map(|variable| variable.error).fold(0., f64::max)
    }
}

/// The first few of `items`, and how many more there are.
pub(super) fn first_few<T: fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let all: Vec<String> = items.map(|item| item.to_string()).collect();
    let shown = all.get(..SHOWN.min(all.len())).unwrap_or_default().join(", ");
    match all.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

impl fmt::Display for GradientReport {
    /// A line of counts, then a line for each verdict other than `right`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gradients of {} variables: {} right", self.variables.len(), self.count(Verdict::Right))?;
        if self.count(Verdict::Right) > 0 {
            write!(f, " (largest error {:.1e})", self.largest_error())?;
        }
        let others = [Verdict::Missing, Verdict::Wrong, Verdict::Unused, Verdict::Unchecked, Verdict::Flat];
        let others = others.into_iter().filter(|verdict| self.count(*verdict) > 0);
        for verdict in others.clone() {
            write!(f, ", {} {verdict}", self.count(verdict))?;
        }
        write!(f, "; {} forward passes", self.passes)?;
        for verdict in others {
            write!(f, "\n{verdict}: {}", first_few(self.with(verdict)))?;
        }
        if !self.frozen.is_empty() {
            write!(f, "\nfrozen, but part of the gradient graph: {}", first_few(self.frozen.iter()))?;
        }
        Ok(())
    }
}
