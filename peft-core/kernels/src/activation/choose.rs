//! Loops over the curve of an activation that is chosen at run time.

use super::{Activation, Curve};

/// Evaluates `$body` with `$curve` as the type of `$activation`.
///
/// The choice is made outside `$body`, so a loop in it has no branch for each element and is compiled for wide vectors.
macro_rules! with_curve {
    ($activation:expr, $curve:ident => $body:expr) => {
        match $activation {
            $crate::activation::Activation::Relu => {
                type $curve = $crate::activation::Relu;
                $body
            }
            $crate::activation::Activation::GeluTanh => {
                type $curve = $crate::activation::GeluTanh;
                $body
            }
            $crate::activation::Activation::Gelu => {
                type $curve = $crate::activation::Gelu;
                $body
            }
            $crate::activation::Activation::Silu => {
                type $curve = $crate::activation::Silu;
                $body
            }
        }
    };
}
pub(crate) use with_curve;

impl Activation {
    /// Writes the function of every `x` to `y`.
    #[inline(always)]
    pub(crate) fn apply(self, y: &mut [f32], x: &[f32]) {
        with_curve!(self, C => {
            for (y, x) in y.iter_mut().zip(x) {
                *y = C::value(*x);
            }
        });
    }

    /// Multiplies every `d` by the derivative at `x`.
    #[inline(always)]
    pub(crate) fn multiply_by_slope(self, d: &mut [f32], x: &[f32]) {
        with_curve!(self, C => {
            for (d, x) in d.iter_mut().zip(x) {
                *d *= C::slope(*x);
            }
        });
    }
}
