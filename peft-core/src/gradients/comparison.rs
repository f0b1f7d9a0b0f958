//! A derivative by differences and by the backward pass, and what follows for one variable.

use super::differences::Slope;

/// How sure a verdict must be, in uncertainties of the differences.
pub(super) const SURE: f64 = 3.;

/// The relative error of a usual variable of a group that must show.
pub(super) const OFF_BY: f64 = 0.1;

/// A direction of the check.
#[derive(Clone, Copy)]
pub(super) enum Along {
    Gradient,
    Random(u64),
}

/// What one comparison shows of one variable, the most telling last.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum Shows {
    Nothing,
    Right,
    Wrong,
}

/// One comparison: the derivative of the loss along directions of several variables.
pub(super) struct Comparison {
    pub(super) differences: Slope,
    /// The derivative by the backward pass, and the part of each variable.
    pub(super) found: f64,
    pub(super) parts: Vec<f64>,
    /// The largest relative error that is accepted.
    pub(super) relative: f64,
}

impl Comparison {
    /// The sum of the parts' absolute values.
    pub(super) fn size(&self) -> f64 {
        self.parts.iter().map(|part| part.abs()).sum()
    }

    pub(super) fn gap(&self) -> f64 {
        (self.differences.value - self.found).abs()
    }

    /// The largest derivative that is known.
    pub(super) fn scale(&self) -> f64 {
        self.differences.value.abs().max(self.size())
    }

    /// What uncertain differences may hide.
    pub(super) fn hidden(&self) -> f64 {
        SURE * self.differences.uncertainty
    }

    pub(super) fn error(&self) -> f64 {
        if self.scale() > 0. { self.gap() / self.scale() } else { 0. }
    }

    /// Whether the two derivatives differ by more than can be put down to rounding.
    pub(super) fn differs(&self) -> bool {
        self.gap() > self.hidden() + self.relative * self.scale()
    }

    /// What it shows of the gradient of one variable.
    pub(super) fn shows(&self) -> Shows {
        if self.differs() {
            Shows::Wrong
        } else if self.scale() > 0. && self.hidden() <= OFF_BY * self.scale() {
            Shows::Right
        } else {
            Shows::Nothing
        }
    }
}
