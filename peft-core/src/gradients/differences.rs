//! A derivative from values, with its uncertainty.

use crate::Result;

/// How often another step is tried.
const ATTEMPTS: usize = 3;

/// A relative uncertainty that needs no other step, whatever is wanted.
const GOOD: f64 = 1e-3;

/// How much smaller a step is if the first one is not trusted.
const FINER: f64 = 0.125;

/// The derivative of a function at 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slope {
    /// The derivative.
    pub(super) value: f64,
    /// How far from the true derivative `value` may be: what the step leaves out, kinks, and the rounding of the function.
    pub(super) uncertainty: f64,
    /// The part of the uncertainty that comes from the rounding of the function.
    pub(super) rounding: f64,
}

/// A function, and how its derivative is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    /// The value at 0.
    pub(super) here: f64,
    /// The step of the differences. They use values at up to twice the step.
    pub(super) step: f64,
    /// The error of one value.
    pub(super) noise: f64,
    /// The uncertainty that needs no other step.
    pub(super) wanted: f64,
}

impl Values {
    /// The derivative of `f` at 0. While it is more uncertain than wanted, another step is tried: a larger one if rounding is the
    /// reason, otherwise a smaller one.
    pub(super) fn slope(self, mut f: impl FnMut(f64) -> Result<f64>) -> Result<Slope> {
        let mut best = Slope { value: 0., uncertainty: f64::INFINITY, rounding: 0. };
        let mut values = self;
        for _ in 0..ATTEMPTS {
            let found = values.slope_at_step(&mut f)?;
            // A value that is not finite makes the comparison false, and the next step is smaller.
            if found.uncertainty < best.uncertainty {
                best = found;
            }
            if best.uncertainty <= self.wanted.max(GOOD * best.value.abs()) {
                break;
            }
            values.step *= if found.uncertainty < 2. * values.rounding() { 4. } else { FINER };
        }
        Ok(best)
    }

    /// `slope`, looked at again with a smaller step. A derivative that the step misjudged, as where a function has many kinks, comes out
    /// differently then, and the difference is part of the uncertainty.
    pub(super) fn look_again(&mut self, slope: Slope, f: impl FnMut(f64) -> Result<f64>) -> Result<Slope> {
        self.step *= FINER;
        let finer = self.slope_at_step(f)?;
        Ok(Slope { uncertainty: finer.uncertainty + (finer.value - slope.value).abs(), ..finer })
    }

    /// What rounding makes of a derivative: the weights of the four values are 4/3 and 1/6 over the step of half the size.
    fn rounding(&self) -> f64 {
        3. * self.noise / self.step
    }

    /// Central differences `D(h) = (f(h) - f(-h)) / 2h` at three steps give two estimates without the term of order `h²`:
    /// `(4 D(h) - D(2h)) / 3`. The finer one is the result. It is uncertain by
    ///
    /// - its distance from the coarser one,
    /// - rounding,
    /// - half of the jump of the derivative, if there is one near 0, as that of ReLU. Second differences
    ///   `K(h) = (f(h) - 2 f(0) + f(-h)) / h` of a smooth function are proportional to `h`; `2 K(h/2) - K(h)` is then zero, and a jump
    ///   remains.
    fn slope_at_step(&self, mut f: impl FnMut(f64) -> Result<f64>) -> Result<Slope> {
        let Self { here, step, noise, .. } = *self;
        let mut both = |h: f64| -> Result<[f64; 2]> {
            let (right, left) = (f(h)?, f(-h)?);
            Ok([(right - left) / (2. * h), (right - 2. * here + left) / h])
        };
        let [[fine, near], [middle, far], [coarse, _]] = [both(step / 2.)?, both(step)?, both(2. * step)?];
        let (value, coarser) = ((4. * fine - middle) / 3., (4. * middle - coarse) / 3.);
        // Eight and four values, twice and once over half and the whole step.
        let jump = ((2. * near - far).abs() - 20. * noise / step).max(0.);
        let rounding = self.rounding();
        Ok(Slope { value, uncertainty: (value - coarser).abs() + rounding + jump / 2., rounding })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn slope(f: impl Fn(f64) -> f64, noise: f64) -> Slope {
        Values { here: f(0.), step: 0.04, noise, wanted: 0. }.slope(|x| Ok(f(x))).unwrap()
    }

    #[test]
    fn the_uncertainty_covers_the_error() {
        for (f, expected) in [
            ((|x: f64| (3. * x).sin() + x.powi(3)) as fn(f64) -> f64, 3.),
            (|x| (x - 0.3).tanh(), 1. - 0.3f64.tanh().powi(2)),
            (|x| 5. + x.powi(2), 0.),
            (|x| (40. * x).exp(), 40.),
        ] {
            let found = slope(f, 1e-16);
            assert!((found.value - expected).abs() <= found.uncertainty, "{found:?} and {expected}");
            assert!(found.uncertainty <= 2e-3 * expected.max(1e-3), "{found:?} for {expected}");
        }
    }

    #[test]
    fn rounding_to_single_precision_is_part_of_the_uncertainty() {
        // Without the noise, the uncertainty would be too small by chance in some of the cases.
        for case in 0..200 {
            let (at, noise) = (0.01 * f64::from(case), f64::from(f32::EPSILON) * 4.);
            let found = slope(|x| f64::from((4. + (at + x).sin()) as f32), noise);
            assert!((found.value - at.cos()).abs() <= found.uncertainty, "{case}: {found:?}");
        }
    }

    #[test]
    fn a_kink_nearby_is_part_of_the_uncertainty() {
        for case in -100..100 {
            let at = 0.0013 * (f64::from(case) + 0.5);
            let found = slope(|x| 3. * x + (x - at).max(0.), 1e-7);
            let expected = if at < 0. { 4. } else { 3. };
            assert!((found.value - expected).abs() <= found.uncertainty + 1e-9, "a kink at {at}: {found:?}");
        }
    }

    #[test]
    fn a_smaller_step_tells_what_a_larger_one_misjudged() {
        // Two kinks that look like none from afar.
        let f = |x: f64| 3. * x + (x - 0.004).max(0.) - (x + 0.004).max(0.);
        let mut values = Values { here: f(0.), step: 0.04, noise: 1e-9, wanted: 1. };
        let first = values.slope(|x| Ok(f(x))).unwrap();
        assert!((first.value - 2.).abs() > 3. * first.uncertainty, "misjudged: {first:?}");
        let again = values.look_again(first, |x| Ok(f(x))).unwrap();
        assert!((again.value - 2.).abs() <= again.uncertainty, "{again:?}");
    }

    #[test]
    fn what_is_not_finite_far_away_needs_a_smaller_step() {
        let found = slope(|x| if x.abs() < 0.03 { 2. * x } else { f64::NAN }, 1e-16);
        assert!((found.value - 2.).abs() < 1e-6, "{found:?}");
        let never = slope(|_| f64::NAN, 1e-16);
        assert_eq!(never.uncertainty, f64::INFINITY);
    }
}
