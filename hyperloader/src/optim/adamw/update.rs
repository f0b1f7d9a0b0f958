//! One update of one parameter: a fused pass on the processor, candle's operations elsewhere.
//!
//! Both flavors are the same expression with different coefficients:
//!
//! ```text
//! m ← β₁ m + (1-β₁) g
//! v ← β₂ v + (1-β₂) g²
//! p ← (p · before - rate · m / (√v · root_scale + ε)) · after
//! ```

use std::cell::Cell;

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor, Var, bail};
use rayon::prelude::*;

use super::config::{AdamWConfig, AdamWFlavor};
use crate::Result;

/// Elements that one thread updates at a time. Elements are independent, so the result does not depend on this number.
const UPDATE_CHUNK: usize = 1 << 14;

/// The coefficients of the update above for one parameter at one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coefficients {
    betas: (f64, f64),
    eps: f64,
    rate: f64,
    root_scale: f64,
    before: f64,
    after: f64,
}

impl Coefficients {
    /// `steps` counts the updates of this parameter, this one included.
    pub(super) fn new(config: &AdamWConfig, lr: f64, steps: u64) -> Self {
        let correction = |beta: f64| 1.0 - beta.powf(steps as f64);
        let (c1, c2) = (correction(config.betas.0), correction(config.betas.1));
        let decay = 1.0 - lr * config.weight_decay;
        let (rate, root_scale, before, after) = match config.flavor {
            AdamWFlavor::Transformers35 => (lr * c2.sqrt() / c1, 1.0, 1.0, decay),
            AdamWFlavor::Torch => (lr / c1, 1.0 / c2.sqrt(), decay, 1.0),
        };
        Self { betas: config.betas, eps: config.eps, rate, root_scale, before, after }
    }

    /// Updates `variable` and its averages `m` and `v` on the processor; `gradient` has the variable's shape, type and device.
    pub(super) fn apply(&self, variable: &Var, averages: [&mut Vec<f32>; 2], gradient: &Tensor) -> Result<()> {
        let [first, second] = averages;
        let op = FusedUpdate { coefficients: *self, averages: Cell::new(Some((first, second))) };
        Ok(variable.inplace_op2(&gradient.contiguous()?, &op)?)
    }

    /// The parameter and its averages, `[p, m, v]`, after the update by candle's operations, on any device. All are of one shape.
    pub(super) fn next(&self, [p, m, v]: [&Tensor; 3], gradient: &Tensor) -> Result<[Tensor; 3]> {
        let first = ((m * self.betas.0)? + (gradient * (1.0 - self.betas.0))?)?;
        let second = ((v * self.betas.1)? + ((gradient * (1.0 - self.betas.1))? * gradient)?)?;
        let denominator = second.sqrt()?.affine(self.root_scale, self.eps)?;
        let change = (&first * self.rate)?.div(&denominator)?;
        let moved = ((p * self.before)? - change)?;
        Ok([(moved * self.after)?, first, second])
    }

    fn update(&self, parameters: &mut [f32], first: &mut [f32], second: &mut [f32], gradients: &[f32]) {
        let (beta1, new1) = (self.betas.0 as f32, (1.0 - self.betas.0) as f32);
        let (beta2, new2) = (self.betas.1 as f32, (1.0 - self.betas.1) as f32);
        let (rate, root_scale, eps) = (self.rate as f32, self.root_scale as f32, self.eps as f32);
        let (before, after) = (self.before as f32, self.after as f32);
        for (((p, m), v), &g) in parameters.iter_mut().zip(first).zip(second).zip(gradients) {
            *m = *m * beta1 + g * new1;
            *v = *v * beta2 + g * new2 * g;
            *p = (*p * before - *m * rate / (v.sqrt() * root_scale + eps)) * after;
        }
    }
}

/// The update as one pass over four buffers. Candle passes the parameter and the gradient; the operation holds the averages,
/// and takes them out when it runs, which it does once.
struct FusedUpdate<'a> {
    coefficients: Coefficients,
    averages: Cell<Option<(&'a mut Vec<f32>, &'a mut Vec<f32>)>>,
}

impl InplaceOp2 for FusedUpdate<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        let (CpuStorage::F32(parameter), CpuStorage::F32(gradient)) = (parameter, gradient) else {
            bail!("adamw: parameter and gradient must be f32");
        };
        let parameter = range(parameter_layout).and_then(|range| parameter.get_mut(range));
        let gradient = range(gradient_layout).and_then(|range| gradient.get(range));
        let (Some(parameter), Some(gradient)) = (parameter, gradient) else {
            bail!("adamw: parameter and gradient must be contiguous");
        };
        let Some((first, second)) = self.averages.take() else {
            bail!("adamw: the fused update ran twice");
        };
        if [gradient.len(), first.len(), second.len()] != [parameter.len(); 3] {
            bail!("adamw: {} gradients for {} parameters", gradient.len(), parameter.len());
        }
        let coefficients = self.coefficients;
        parameter
            .par_chunks_mut(UPDATE_CHUNK)
            .zip(first.par_chunks_mut(UPDATE_CHUNK))
            .zip(second.par_chunks_mut(UPDATE_CHUNK))
            .zip(gradient.par_chunks(UPDATE_CHUNK))
            .for_each(|(((p, m), v), g)| coefficients.update(p, m, v, g));
        Ok(())
    }
}

fn range(layout: &Layout) -> Option<std::ops::Range<usize>> {
    layout.contiguous_offsets().map(|(start, end)| start..end)
}
