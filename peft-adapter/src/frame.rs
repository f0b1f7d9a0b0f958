//! Everything of an adapter except its two projections: their input, layer norms, scale, gate and residual sums.

use candle_core::Tensor;
use candle_nn::Init;
use candle_nn::init::{ONE, ZERO};
use peft_core::{Ctx, ParamSpec, Result, SiteCall, normal};
use peft_kernels as ops;

use crate::bottleneck::BottleneckConfig;
use crate::gate::gate;

/// The standard deviation of weights at the start, static and (for the heads) generated.
pub(crate) const INIT_STD: f64 = 0.01;

/// An adapter's configuration, of which the frame does not read what concerns the projections.
#[derive(Debug, Clone)]
pub(crate) struct Frame(pub(crate) BottleneckConfig);

/// A weight of an adapter, whose head (if it is generated) starts normal with a bias of zero.
pub(crate) fn spec(name: &'static str, dims: &[usize], init: Init) -> ParamSpec {
    ParamSpec::new(name, dims, init).with_head(normal(INIT_STD), Some(ZERO))
}

impl Frame {
    /// The weights of the frame, which follow those of the projections; `dim` is the width of the hidden state.
    pub(crate) fn params(&self, dim: usize) -> Vec<ParamSpec> {
        let mut params = Vec::new();
        if self.0.ln_before {
            params.push(spec("adapter.ln_before.weight", &[dim], ONE));
            params.push(spec("adapter.ln_before.bias", &[dim], ZERO));
        }
        if self.0.ln_after {
            params.push(spec("adapter.ln_after.weight", &[dim], ONE));
            params.push(spec("adapter.ln_after.bias", &[dim], ZERO));
        }
        if self.0.use_gating {
            params.push(spec("adapter.gate.weight", &[1, dim], normal(INIT_STD)));
            params.push(spec("adapter.gate.bias", &[1], ZERO));
        }
        params
    }

    /// The output of the site, given the frame's `weights` and the projections between its layer norms.
    pub(crate) fn apply(
        &self,
        call: &SiteCall<'_>,
        mut weights: &[Tensor],
        ctx: &mut Ctx,
        project: impl FnOnce(&Tensor, &mut Ctx) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let x = self.input(call)?;
        let before = pair(&mut weights, self.0.ln_before);
        let after = pair(&mut weights, self.0.ln_after);
        let gates = pair(&mut weights, self.0.use_gating);

        let z = project(&self.norm(&x, before, ctx)?, ctx)?;
        let z = if self.0.scaling == 1. { z } else { (z * self.0.scaling)? };
        let z = ctx.dropout(&z, self.0.dropout)?;
        let z = match gates {
            Some([weight, bias]) => z.broadcast_mul(&gate(&x, weight, bias, ctx)?)?,
            None => z,
        };

        let (around, times) = self.residual();
        let stream = |z: Tensor, times: i8| match times {
            0 => Ok(z),
            times => z + (call.input * f64::from(times))?,
        };
        let z = match self.0.adapter_residual_before_ln && !self.0.is_parallel {
            true => stream(self.norm(&stream((z + call.output)?, around)?, after, ctx)?, times),
            false => stream((self.norm(&z, after, ctx)? + call.output)?, around + times),
        };
        Ok(z?)
    }

    /// Whether the adapter is exactly `y + LN_after(P(y))`, so that one operation computes it.
    pub(crate) fn is_simple(&self) -> bool {
        let reads_output = !self.0.is_parallel && !self.0.original_ln_before && self.0.original_ln_after;
        let one_norm = !self.0.ln_before && !self.0.adapter_residual_before_ln;
        reads_output && one_norm && !self.0.use_gating && self.0.scaling == 1. && self.0.dropout == 0.
    }

    /// The layer norm after the projections of a simple adapter, from the frame's weights.
    ///
    /// # Errors
    /// If these are not the two weights of that norm.
    pub(crate) fn norm_after<'a>(&self, weights: &'a [Tensor]) -> Result<Option<ops::LayerNorm<'a>>> {
        if !self.0.ln_after {
            return Ok(None);
        }
        let [gamma, beta] = peft_core::take(weights)?;
        Ok(Some(ops::LayerNorm { gamma, beta, eps: self.0.layer_norm_eps }))
    }

    /// What the down projection reads.
    fn input(&self, call: &SiteCall<'_>) -> Result<Tensor> {
        Ok(match (self.0.is_parallel, self.0.original_ln_before) {
            (true, _) => call.input.clone(),
            (false, true) => (call.output + call.input)?,
            (false, false) => call.output.clone(),
        })
    }

    /// How many times the residual stream is part of the residual around the projections, and how many times it must be
    /// added after the adapter, given that the backbone adds it once more.
    fn residual(&self) -> (i8, i8) {
        let around = !self.0.is_parallel && self.0.original_ln_before && !self.0.residual_before_ln;
        (i8::from(around), i8::from(self.0.original_ln_after) - 1)
    }

    fn norm(&self, x: &Tensor, weights: Option<&[Tensor; 2]>, ctx: &Ctx) -> Result<Tensor> {
        match weights {
            Some([gamma, beta]) => {
                let norm = ops::LayerNorm { gamma, beta, eps: self.0.layer_norm_eps };
                Ok(ops::layer_norm(x, &norm, ctx.kernels())?)
            }
            None => Ok(x.clone()),
        }
    }
}

/// Takes the first two of `weights`, if the frame has them.
fn pair<'a>(weights: &mut &'a [Tensor], on: bool) -> Option<&'a [Tensor; 2]> {
    let (first, rest) = weights.split_first_chunk().filter(|_| on)?;
    *weights = rest;
    Some(first)
}
