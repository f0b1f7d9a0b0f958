//! What is compared, and how closely.

use candle_core::{Tensor, Var};

use super::report::GradientReport;
use super::run::Run;
use crate::{Error, Result};

/// How many variables move together at most in a [quick](GradientCheck::quick) check. With more, the derivative of one would be
/// too small a part of the sum.
const TOGETHER: usize = 64;

/// Compares gradients with finite differences of the loss.
///
/// For a variable `θ` and a direction `d` of the same shape, the backward pass says that the loss `L` changes by `∇L · d` times the
/// length of a step along `d`. The check computes the loss at a few steps and compares. Directions are the gradient itself, where a
/// part that is missing shows as a wrong length, and random ones, where parts show that the gradient does not have.
///
/// - The gradients are compared at a seeded random point near the current values, because many methods begin at zeros, where
///   gradients vanish. Afterwards the variables have their former values, bit by bit.
/// - Steps, tolerance and rounding errors follow from the floating-point type of the variables: in `f64` errors of 10⁻⁵ are found, in
///   `f32` of 2·10⁻³. The rounding error of the loss is measured. In `bf16` and `f16` little can be told.
/// - The loss must be deterministic: evaluate without dropout, or with seeded dropout. Caches must be cleared before each pass.
///
/// ```
/// use candle_core::{Device, Tensor, Var};
/// use peft_core::gradients::{GradientCheck, Verdict};
///
/// let (w, x) = (Var::new(&[[0.3f32, -1.2], [0.7, 0.4]], &Device::Cpu)?, Tensor::new(&[[1f32, 2.]], &Device::Cpu)?);
/// let vars = [("w".to_owned(), w.clone())];
/// let right = GradientCheck::default().run(&vars, || x.matmul(&w)?.sqr()?.sum_all())?;
/// assert!(right.is_right());
///
/// // A part of the gradient is cut: it arrives, but is wrong.
/// let wrong = GradientCheck::default().run(&vars, || (x.matmul(&w)? * x.matmul(&w)?.detach())?.sum_all())?;
/// assert_eq!(wrong.variables[0].verdict, Verdict::Wrong);
/// assert!((wrong.variables[0].error - 0.5).abs() < 0.01);
/// # Ok::<(), peft_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GradientCheck {
    /// How many random directions are tried, in addition to the direction of the gradient.
    pub directions: u64,
    /// The seed of the directions, and of the point at which the gradients are compared.
    pub seed: u64,
    /// The largest relative error of the derivative with respect to one variable that is put down to rounding. `None`: `ε^(2/5)`
    /// for the machine epsilon `ε` of the variables, but at least 10⁻⁵. Five-point differences with one rounding have an error of
    /// `ε^(4/5)`; of their digits, half may be lost on the way through a model. (Candle's own gradient of GELU is exact to 10⁻⁶.)
    pub tolerance: Option<f64>,
    /// How many variables move together. They are compared one by one if 1. If more, a group of variables is compared at once, and
    /// divided if the comparison fails or is unclear: a variable whose derivative is off by a fifth still shows.
    pub together: usize,
}

impl Default for GradientCheck {
    /// Each variable on its own, along the gradient and two random directions.
    fn default() -> Self {
        Self { directions: 2, seed: 0, tolerance: None, together: 1 }
    }
}

impl GradientCheck {
    /// Many variables at once, along the gradient and a random direction, with a tolerance of 2 % that frozen weights in `bf16` need:
    /// some 20 to 200 forward passes if the gradients are right, and up to six backward passes: more where the loss is
    /// steep, as at the beginning of a hypernetwork.
    pub fn quick() -> Self {
        Self { directions: 1, tolerance: Some(0.02), together: TOGETHER, ..Self::default() }
    }

    /// Compares the gradients of `loss`, a scalar that depends on `vars`.
    ///
    /// What is wrong is in the report; [`GradientReport::into_result`] makes it an error.
    ///
    /// # Errors
    /// As `loss`; [`Error::Mismatch`] if the loss is no finite scalar, differs between two passes, or the variables are not floats.
    pub fn run<E: Into<Error>>(
        &self,
        vars: &[(String, Var)],
        mut loss: impl FnMut() -> Result<Tensor, E>,
    ) -> Result<GradientReport> {
        Run::check(self, vars, &mut || loss().map_err(Into::into))
    }
}
