//! Where gradients are compared: near the current values, where the loss is finite and not steep.

use candle_core::{DType, Tensor, Var};

use super::check::GradientCheck;
use super::point::{Point, length};
use crate::{Error, Result};

/// How far the point of the comparison is from the current values, in tenths of their size. The first one is taken where the loss is
/// not steep; otherwise the one where it is least steep.
const OFFSETS: [f64; 5] = [1., 0.3, 0.1, 0.03, 0.01];

/// A loss is steep if moving one variable by its own size would change the loss, at the rate that it has at the point, by more than
/// this many times itself. Differences are inexact there: generated weights that begin at zero multiply others, and a model that is
/// sure of something wrong hides what most variables do.
const STEEP: f64 = 10.;

pub(super) type Loss<'a> = dyn FnMut() -> Result<Tensor> + 'a;

/// A point where gradients may be compared.
pub(super) struct Place<'a> {
    pub(super) point: Point<'a>,
    /// The loss, and the epsilon of its type.
    pub(super) value: f64,
    pub(super) epsilon: f64,
    pub(super) gradients: Vec<Gradient>,
    /// How many forward passes it took.
    pub(super) passes: usize,
}

impl<'a> Place<'a> {
    /// A point where the loss is not steep, or the least steep of those that are tried.
    ///
    /// # Errors
    /// As `loss`; [`Error::Mismatch`] if it is not finite anywhere.
    pub(super) fn find(check: &GradientCheck, vars: &'a [(String, Var)], loss: &mut Loss<'_>) -> Result<Self> {
        let mut least: Option<(f64, f64)> = None;
        let mut passes = 0;
        for offset in OFFSETS {
            passes += 1;
            let Some(place) = Self::at(offset, check, vars, loss)? else { continue };
            let steepness = place.steepness();
            if steepness <= STEEP {
                return Ok(Self { passes, ..place });
            }
            if least.is_none_or(|(of_least, _)| steepness < of_least) {
                least = Some((steepness, offset));
            }
        }
        // The values as they are come last: there the gradient of what is multiplied by zeros is zero.
        let place = Self::at(least.map_or(0., |(_, offset)| offset), check, vars, loss)?;
        let nowhere = || Error::Mismatch("gradient check: the loss is not finite; expected a number".into());
        Ok(Self { passes: passes + 1, ..place.ok_or_else(nowhere)? })
    }

    /// The loss and its gradients at the point at `offset`, if the loss is finite there. The variables stay at the point.
    fn at(offset: f64, check: &GradientCheck, vars: &'a [(String, Var)], loss: &mut Loss<'_>) -> Result<Option<Self>> {
        let point = Point::near(vars, check.seed, offset)?;
        let here = loss()?;
        let value = scalar(&here)?;
        if !value.is_finite() {
            return Ok(None);
        }
        let store = here.backward()?;
        let gradient = |(_, var): &(String, Var)| {
            let value = store.get(var).map(Tensor::detach);
            Ok(Gradient { length: value.as_ref().map_or(Ok(0.), length)?, value })
        };
        let gradients = vars.iter().map(gradient).collect::<Result<Vec<_>>>()?;
        Ok(Some(Self { point, value, epsilon: epsilon("the loss", &here)?, gradients, passes: 1 }))
    }

    /// By how many times itself the loss would change at most if one variable moved by its own size.
    fn steepness(&self) -> f64 {
        let of = |(number, gradient): (usize, &Gradient)| gradient.length * self.point.length(number);
        let steepest = self.gradients.iter().enumerate().map(of).fold(0., f64::max);
        steepest / self.value.abs().max(f64::from(f32::MIN_POSITIVE))
    }
}

/// The gradient of one variable at the point.
pub(super) struct Gradient {
    pub(super) value: Option<Tensor>,
    pub(super) length: f64,
}

impl Gradient {
    /// The gradient, if it is one.
    pub(super) fn nonzero(&self) -> Option<&Tensor> {
        self.value.as_ref().filter(|_| self.length > 0.)
    }
}

/// The machine epsilon of a tensor's type.
pub(super) fn epsilon(name: &str, tensor: &Tensor) -> Result<f64> {
    match tensor.dtype() {
        DType::F64 => Ok(f64::EPSILON),
        DType::F32 => Ok(f64::from(f32::EPSILON)),
        DType::F16 => Ok(2f64.powi(-10)),
        DType::BF16 => Ok(2f64.powi(-7)),
        other => Err(Error::Mismatch(format!("gradient check: {name} is {other:?}; expected f64, f32, bf16 or f16"))),
    }
}

/// The value of a loss.
pub(super) fn scalar(loss: &Tensor) -> Result<f64> {
    if loss.elem_count() != 1 {
        let shape = loss.dims();
        return Err(Error::Mismatch(format!("gradient check: the loss has the shape {shape:?}; expected a scalar")));
    }
    Ok(loss.detach().to_dtype(DType::F64)?.flatten_all()?.squeeze(0)?.to_scalar()?)
}
