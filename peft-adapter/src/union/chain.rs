//! Several methods at one site.

use candle_core::Tensor;
use peft_core::{Ctx, KeyValuePrefix, ParamSpec, PeftModule, Result, SiteCall};

/// Modules that act at one site, each on the output of the one before. Their weights follow each other in the same order.
#[derive(Debug)]
pub(super) struct Chain(pub(super) Vec<Box<dyn PeftModule>>);

impl Chain {
    /// Each module with its part of `weights`.
    fn with_weights<'a>(
        &'a self,
        mut weights: &'a [Tensor],
    ) -> impl Iterator<Item = (&'a dyn PeftModule, &'a [Tensor])> {
        self.0.iter().map(move |module| {
            let (own, rest) = weights.split_at_checked(module.params().len()).unwrap_or_default();
            weights = rest;
            (module.as_ref(), own)
        })
    }
}

impl PeftModule for Chain {
    fn params(&self) -> Vec<ParamSpec> {
        self.0.iter().flat_map(|module| module.params()).collect()
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let mut output = call.output.clone();
        for (module, weights) in self.with_weights(call.weights) {
            output = module.apply(&SiteCall { output: &output, weights, ..*call }, ctx)?;
        }
        Ok(output)
    }

    fn prefixes(&self) -> Vec<KeyValuePrefix> {
        self.0.iter().flat_map(|module| module.prefixes()).collect()
    }

    fn delta(&self, weights: &[Tensor], base: &Tensor) -> Result<Option<Tensor>> {
        let mut merged = base.clone();
        for (module, weights) in self.with_weights(weights) {
            match module.delta(weights, &merged)? {
                Some(delta) => merged = (merged + delta)?,
                None => return Ok(None),
            }
        }
        Ok(Some((merged - base)?))
    }

    fn delta_bias(&self, weights: &[Tensor], bias: &Tensor) -> Result<Option<Tensor>> {
        let (mut merged, mut changed) = (bias.clone(), false);
        for (module, weights) in self.with_weights(weights) {
            if let Some(delta) = module.delta_bias(weights, &merged)? {
                (merged, changed) = ((merged + delta)?, true);
            }
        }
        Ok(if changed { Some((merged - bias)?) } else { None })
    }

    fn make_gradients_exact(&mut self) -> bool {
        self.0.iter_mut().fold(false, |changed, module| module.make_gradients_exact() | changed)
    }

    fn dropout(&self) -> f64 {
        self.0.iter().map(|module| module.dropout()).fold(0., f64::max)
    }
}
