//! The variables, moved and put back.

use candle_core::{DType, Device, Tensor, Var};

use crate::rng::{Stream, stream_of};
use crate::{Error, Result};

/// How far the point of the comparison is from the current values, relative to their size.
const OFFSET: f64 = 0.1;

/// The size of a variable that is zero.
const SIZE_OF_ZERO: f64 = 0.1;

/// The number of the random direction that leads to the point of the comparison.
const TO_THE_POINT: u64 = u64::MAX;

/// The variables of a check at the point where gradients are compared. Dropped, it puts their former values back.
pub(super) struct Point<'a> {
    vars: &'a [(String, Var)],
    seed: u64,
    former: Vec<Tensor>,
    /// The values at the point.
    here: Vec<Tensor>,
    /// The Euclidean length of each variable at the point.
    lengths: Vec<f64>,
}

impl<'a> Point<'a> {
    /// Moves the variables by `offset` times a tenth of their size.
    pub(super) fn near(vars: &'a [(String, Var)], seed: u64, offset: f64) -> Result<Self> {
        let former = vars.iter().map(|(_, var)| var.as_tensor().detach().copy()).collect::<Result<Vec<_>, _>>()?;
        let mut point = Self { vars, seed, here: former.clone(), former, lengths: Vec::new() };
        for number in 0..vars.len() {
            let former = point.former(number)?;
            let length = length(former)?;
            let zero = SIZE_OF_ZERO * (former.elem_count() as f64).sqrt();
            let by = OFFSET * offset * if length > 0. { length } else { zero / OFFSET };
            let here = (former + (point.random(number, TO_THE_POINT)? * by)?)?;
            point.lengths.push(self::length(&here)?.max(f64::from(f32::MIN_POSITIVE)));
            if let Some(place) = point.here.get_mut(number) {
                *place = here;
            }
        }
        point.back()?;
        Ok(point)
    }

    /// The length of a variable.
    pub(super) fn length(&self, number: usize) -> f64 {
        self.lengths.get(number).copied().unwrap_or_default()
    }

    /// A random tensor of length 1 in the shape of a variable.
    pub(super) fn random(&self, number: usize, direction: u64) -> Result<Tensor> {
        let (name, var) = self.vars.get(number).ok_or_else(|| no_variable(number))?;
        let stream = Stream::new(self.seed.wrapping_add(direction.wrapping_mul(2).wrapping_add(1)), stream_of(name));
        let values: Vec<f32> =
            (0..var.elem_count() as u64).map(|index| (2. * stream.uniform(index) - 1.) as f32).collect();
        let length = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        let random = (Tensor::from_vec(values, var.shape(), &Device::Cpu)?.to_dtype(var.dtype())? / length)?;
        Ok(random.to_device(var.device())?)
    }

    /// Moves the variables `which` by `times` their directions, away from the point.
    pub(super) fn go(&self, which: &[usize], directions: &[Tensor], times: f64) -> Result<()> {
        for (&number, direction) in which.iter().zip(directions) {
            self.set(number, &(self.here(number)? + (direction * times)?)?)?;
        }
        Ok(())
    }

    /// Moves all variables back to the point.
    pub(super) fn back(&self) -> Result<()> {
        (0..self.vars.len()).try_for_each(|number| self.set(number, self.here(number)?))
    }

    /// Puts the former values back.
    pub(super) fn leave(self) -> Result<()> {
        self.put_back()
    }

    fn put_back(&self) -> Result<()> {
        (0..self.vars.len()).try_for_each(|number| self.set(number, self.former(number)?))
    }

    fn set(&self, number: usize, value: &Tensor) -> Result<()> {
        let (_, var) = self.vars.get(number).ok_or_else(|| no_variable(number))?;
        Ok(var.set(value)?)
    }

    fn former(&self, number: usize) -> Result<&Tensor> {
        self.former.get(number).ok_or_else(|| no_variable(number))
    }

    fn here(&self, number: usize) -> Result<&Tensor> {
        self.here.get(number).ok_or_else(|| no_variable(number))
    }
}

impl Drop for Point<'_> {
    fn drop(&mut self) {
        // After an error of the loss. The values fit, since they were there before; that they cannot be written would be a second
        // error, after the one that is on its way.
        _ = self.put_back();
    }
}

fn no_variable(number: usize) -> Error {
    Error::Mismatch(format!("gradient check: there is no variable {number}"))
}

/// The Euclidean length of a tensor, in double precision.
pub(super) fn length(tensor: &Tensor) -> Result<f64> {
    Ok(dot(tensor, tensor)?.sqrt())
}

/// `Σ a b`, in double precision.
pub(super) fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    let [a, b] = [a.to_dtype(DType::F64)?, b.to_dtype(DType::F64)?];
    Ok((a * b)?.sum_all()?.to_scalar()?)
}
