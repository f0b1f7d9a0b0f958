//! An operation, its arguments, and the verdict on it.

use std::fmt;

use candle_core::{Device, Tensor, Var};

use super::super::check::GradientCheck;
use super::super::report::Verdict;
use crate::Result;
use crate::rng::{Stream, stream_of};

/// What is known of the gradient of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// It is the derivative for every argument.
    Right,
    /// There is none for at least one argument, though the result depends on it. Candle gives no error then.
    Missing,
    /// It differs from the derivative for at least one argument.
    Wrong,
    /// The operation, or its backward pass, is an error.
    Refused(String),
    /// The differences do not decide.
    Unclear,
}

/// An operation of this build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its path, such as `candle_nn::ops::layer_norm`, and under which condition it was probed.
    pub name: &'static str,
    /// What is known of its gradient.
    pub finding: Finding,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, finding } = self;
        match finding {
            Finding::Right => write!(f, "{name}: right gradient"),
            Finding::Missing => write!(f, "{name}: no gradient"),
            Finding::Wrong => write!(f, "{name}: wrong gradient"),
            Finding::Refused(reason) => write!(f, "{name}: {reason}"),
            Finding::Unclear => write!(f, "{name}: unclear"),
        }
    }
}

/// An operation and the shapes of its arguments.
pub(super) struct Case {
    /// As in [`Operation::name`].
    pub(super) name: &'static str,
    /// The shapes of the arguments that have a gradient.
    pub(super) shapes: &'static [&'static [usize]],
    /// The operation.
    pub(super) run: fn(&[Tensor]) -> candle_core::Result<Tensor>,
}

impl Case {
    /// Compares the gradients of `Σ c y` for the result `y` and random numbers `c`.
    pub(super) fn probe(&self) -> Result<Operation> {
        let stream = stream_of(self.name);
        let mut vars = Vec::new();
        for (number, shape) in self.shapes.iter().enumerate() {
            vars.push((format!("argument {number}"), Var::from_tensor(&uniform(stream, number as u64, shape)?)?));
        }
        let arguments: Vec<Tensor> = vars.iter().map(|(_, var)| var.as_tensor().clone()).collect();
        let loss = || -> Result<Tensor> {
            let y = (self.run)(&arguments)?;
            let weights = uniform(stream, u64::MAX, y.dims())?.to_dtype(y.dtype())?;
            Ok((y * weights)?.sum_all()?)
        };
        let finding = match GradientCheck::default().run(&vars, loss) {
            Err(error) => Finding::Refused(first_line(&error.to_string())),
            Ok(report) => {
                let has = |verdict| report.count(verdict) > 0;
                match () {
                    () if has(Verdict::Wrong) => Finding::Wrong,
                    () if has(Verdict::Missing) || has(Verdict::Unused) => Finding::Missing,
                    () if has(Verdict::Flat) => Finding::Unclear,
                    () => Finding::Right,
                }
            }
        };
        Ok(Operation { name: self.name, finding })
    }
}

/// Candle appends a backtrace to its messages if that is switched on.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// Random numbers of `[-1, 1)`, but not near 0, where some functions have a kink.
fn uniform(stream: u64, number: u64, shape: &[usize]) -> Result<Tensor> {
    const GAP: f64 = 0.3;
    let stream = Stream::new(number, stream);
    let value = |index| {
        let x = 2. * stream.uniform(index) - 1.;
        (x.signum() * (GAP + (1. - GAP) * x.abs())) as f32
    };
    let values: Vec<f32> = (0..shape.iter().product::<usize>() as u64).map(value).collect();
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// Arguments of a case, whose number its shapes say.
pub(super) fn take<const N: usize>(arguments: &[Tensor]) -> candle_core::Result<[&Tensor; N]> {
    match <&[Tensor; N]>::try_from(arguments) {
        Ok(arguments) => Ok(arguments.each_ref()),
        Err(_) => candle_core::bail!("{} arguments, expected {N}", arguments.len()),
    }
}
