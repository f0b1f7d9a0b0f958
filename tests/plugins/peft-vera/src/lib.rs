//! VeRA, a PEFT method outside HyperLoader's own crates, in about 100 lines.
//!
//! `docs/adding-a-method.md` builds it step by step. A program only has to link the crate (`use peft_vera as _;`). The method's
//! name then works in configuration files, with every generator and on every backbone.

use candle_core::Tensor;
use candle_nn::Init;
use peft_core::rng::{Stream, stream_of};
use peft_core::{
    Ctx, KAIMING_UNIFORM, ParamSpec, PeftConfig, PeftModule, Result, Site, SiteCall, SiteKind, TargetModules, initial,
    rows,
};
use peft_kernels as ops;
use serde::{Deserialize, Serialize};

/// VeRA (Kopiczko et al. 2024, *VeRA: Vector-based Random Matrix Adaptation*, arXiv 2310.11454, section 3).
///
/// `y = x Wᵀ + b ⊙ (d ⊙ (x Aᵀ)) Bᵀ` with frozen random `A: [r, d_in]` and `B: [d_out, r]`, which are the same for equal shapes.
/// Learned are `d: [r]`, which starts at 0.1, and `b: [d_out]`, which starts at zero, so the output is unchanged at first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VeraConfig {
    /// The rank. Default 256.
    pub r: std::num::NonZeroUsize,
    /// The linear maps to change. Default `["q", "v"]`.
    pub target_modules: TargetModules,
    /// The seed of `A` and `B`. Default 0.
    pub projection_prng_key: u64,
    /// The initial value of `d`. Default 0.1.
    pub d_initial: f64,
}

impl Default for VeraConfig {
    fn default() -> Self {
        let target_modules = TargetModules::suffixes(["q", "v"]);
        Self { r: peft_core::nonzero(256), target_modules, projection_prng_key: 0, d_initial: 0.1 }
    }
}

impl VeraConfig {
    /// VeRA of rank `r`. A rank of 0 counts as 1.
    pub fn new(r: usize) -> Self {
        Self { r: peft_core::nonzero(r), ..Self::default() }
    }
}

peft_core::setters! {
    VeraConfig {
        target_modules => target_modules: TargetModules,
        projection_prng_key => projection_prng_key: u64,
        d_initial => d_initial: f64,
    }
}

#[typetag::serde(name = "VERA")]
impl PeftConfig for VeraConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let SiteKind::Linear { d_in, d_out } = site.kind else { return Ok(None) };
        if !self.target_modules.matches(site) {
            return Ok(None);
        }
        let random = |name: &str, dims: (usize, usize)| {
            let stream = Stream::new(self.projection_prng_key, stream_of(&format!("vera.{name}.{dims:?}")));
            initial(stream, &dims.into(), KAIMING_UNIFORM, &candle_core::Device::Cpu)
        };
        let (a, b) = (random("A", (self.r.get(), d_in))?, random("B", (d_out, self.r.get()))?);
        Ok(Some(Box::new(Vera { a, b, d_initial: self.d_initial })))
    }

    fn identity_at_init(&self) -> bool {
        true
    }

    fn target_modules(&self) -> Option<&TargetModules> {
        Some(&self.target_modules)
    }
}

/// VeRA at one linear map. The projections are not among its weights: they follow from the seed.
#[derive(Debug)]
struct Vera {
    a: Tensor,
    b: Tensor,
    d_initial: f64,
}

impl PeftModule for Vera {
    fn params(&self) -> Vec<ParamSpec> {
        let d = ParamSpec::new("vera_lambda_d", [self.b.dim(1).unwrap_or(0)], Init::Const(self.d_initial));
        vec![d, ParamSpec::new("vera_lambda_b", [self.b.dim(0).unwrap_or(0)], candle_nn::init::ZERO)]
    }

    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [d, b] = call.take()?;
        let low = ops::linear(call.input, &self.a, ctx.kernels())?.broadcast_mul(&rows::vector(d)?)?;
        let high = ops::linear(&low, &self.b, ctx.kernels())?.broadcast_mul(&rows::vector(b)?)?;
        Ok((call.output + high)?)
    }

    fn delta(&self, weights: &[Tensor], _base: &Tensor) -> Result<Option<Tensor>> {
        let [d, b] = peft_core::take(weights)?;
        let right = self.a.broadcast_mul(&d.unsqueeze(1)?)?;
        Ok(Some(self.b.matmul(&right)?.broadcast_mul(&b.unsqueeze(1)?)?))
    }
}

/// The code of the guide is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/adding-a-method.md")]
struct Guide;
