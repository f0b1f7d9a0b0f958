//! A derivative from values, with its uncertainty.

use crate::Result;

/// How often another step is tried.
const ATTEMPTS: usize = 3;

/// A relative uncertainty that needs no other step, whatever is wanted.
const GOOD: f64 = 1e-3;

/// The derivative of a function at 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slope {
    /// The derivative.
    pub(super) value: f64,
    /// How far from the true derivative `value` may be: what the step leaves out, and the rounding of the function.
    pub(super) uncertainty: f64,
}

/// The values of a function, as [`slope`] takes them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    /// The step of the differences. They use values at up to twice the step.
    pub(super) step: f64,
    /// The error of one value.
    pub(super) noise: f64,
    /// The uncertainty that needs no other step.
    pub(super) wanted: f64,
}

/// The derivative of `f` at 0.
///
/// Central differences `D(h) = (f(h) - f(-h)) / 2h` at three steps give two estimates without the term of order `h²`:
/// `(4 D(h) - D(2h)) / 3`. The finer one is the result. Its uncertainty is its distance from the coarser one, plus what `noise`
/// makes of it. While that is much, a smaller step is tried, or a larger one if rounding is the reason.
pub(super) fn slope(mut f: impl FnMut(f64) -> Result<f64>, values: Values) -> Result<Slope> {
    let mut best = Slope { value: 0., uncertainty: f64::INFINITY };
    let Values { mut step, noise, wanted } = values;
    for _ in 0..ATTEMPTS {
        let mut central = |h: f64| Ok::<_, crate::Error>((f(h)? - f(-h)?) / (2. * h));
        let [fine, middle, coarse] = [central(step / 2.)?, central(step)?, central(2. * step)?];
        let (value, coarser) = ((4. * fine - middle) / 3., (4. * middle - coarse) / 3.);
        // The weights of the four values are 4/3 and 1/6 over the step of half the size.
        let rounding = 3. * noise / step;
        let uncertainty = (value - coarser).abs() + rounding;
        // A value that is not finite makes the comparison false, and the next step is smaller.
        if uncertainty < best.uncertainty {
            best = Slope { value, uncertainty };
        }
        if best.uncertainty <= wanted.max(GOOD * best.value.abs()) {
            break;
        }
        step *= if uncertainty < 2. * rounding { 4. } else { 0.125 };
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn values(noise: f64) -> Values {
        Values { step: 0.04, noise, wanted: 0. }
    }

    #[test]
    fn the_uncertainty_covers_the_error() {
        for (f, slope_at_zero) in [
            ((|x: f64| (3. * x).sin() + x.powi(3)) as fn(f64) -> f64, 3.),
            (|x| (x - 0.3).tanh(), 1. - 0.3f64.tanh().powi(2)),
            (|x| 5. + x.powi(2), 0.),
            (|x| (40. * x).exp(), 40.),
        ] {
            let found = slope(|x| Ok(f(x)), values(1e-16)).unwrap();
            assert!((found.value - slope_at_zero).abs() <= found.uncertainty, "{found:?} and {slope_at_zero}");
            assert!(found.uncertainty <= 2e-3 * slope_at_zero.max(1e-3), "{found:?} for {slope_at_zero}");
        }
    }

    #[test]
    fn rounding_to_single_precision_is_part_of_the_uncertainty() {
        // Without the noise, the uncertainty would be too small by chance in some of the cases.
        for case in 0..200 {
            let (at, noise) = (0.01 * f64::from(case), f64::from(f32::EPSILON) * 4.);
            let found = slope(|x| Ok(f64::from((4. + (at + x).sin()) as f32)), values(noise)).unwrap();
            assert!((found.value - at.cos()).abs() <= found.uncertainty, "{case}: {found:?}");
        }
    }

    #[test]
    fn what_is_not_finite_far_away_needs_a_smaller_step() {
        let found = slope(|x| Ok(if x.abs() < 0.03 { 2. * x } else { f64::NAN }), values(1e-16)).unwrap();
        assert!((found.value - 2.).abs() < 1e-6, "{found:?}");
        let never = slope(|_| Ok(f64::NAN), values(1e-16)).unwrap();
        assert_eq!(never.uncertainty, f64::INFINITY);
    }
}
