//! The traits that a PEFT method implements.

use std::fmt::Debug;

use candle_core::Tensor;

use crate::{AsAny, Ctx, KeyValuePrefix, ParamSpec, Result, Site, Sites, TargetModules};
use peft_kernels::{Bottleneck, LowRank};

/// What a method receives when the forward pass reaches one of its sites.
#[derive(Debug, Clone, Copy)]
pub struct SiteCall<'a> {
    /// At a linear map: its input `x`, `[batch, length, d_in]`. At a sub-layer: the residual stream `h`, `[batch, length, dim]`.
    pub input: &'a Tensor,
    /// At a linear map: `x Wᵀ`, `[batch, length, d_out]`. At a sub-layer: its output `y`, `[batch, length, dim]`.
    /// If several methods act at one site, this is the output of the method before.
    pub output: &'a Tensor,
    /// At a linear map: the backbone's weight `W`, `[d_out, d_in]`. At a norm: its weight. At an embedding table: the table. Elsewhere:
    /// none.
    pub base: Option<&'a Tensor>,
    /// The method's weights, in the order of [`PeftModule::params`]. Each has the shape of its spec. It has an additional
    /// leading batch axis if the rows of the batch use different weights.
    pub weights: &'a [Tensor],
}

impl<'a> SiteCall<'a> {
    /// The weights as an array, in the order of [`PeftModule::params`].
    ///
    /// # Errors
    /// If their number is not `N`.
    pub fn take<const N: usize>(&self) -> Result<&'a [Tensor; N]> {
        take(self.weights)
    }
}

/// `weights` as an array of `N`.
///
/// # Errors
/// If their number is not `N`.
pub fn take<const N: usize>(weights: &[Tensor]) -> Result<&[Tensor; N]> {
    weights
        .try_into()
        .map_err(|_| crate::Error::Mismatch(format!("this method needs {N} weights, found {}", weights.len())))
}

/// A method's whole effect at a site, as plain data for one fused kernel.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Fused<'a> {
    /// At a linear site: `x Wᵀ + s · Dropout(x) Aᵀ Bᵀ` ([`peft_kernels::linear_low_rank`]).
    LowRank(LowRank<'a>),
    /// At a sub-layer: `h + Dropout(y + LN(W_up f(W_down y + b_down) + b_up))` ([`peft_kernels::bottleneck`]). The weights
    /// must be the same for every row of the batch.
    Bottleneck(Bottleneck<'a>),
}

/// What a method does at one site. It knows shapes and an equation, and holds no trainable tensors.
pub trait PeftModule: Debug + Send + Sync {
    /// The weights that the method needs at this site.
    fn params(&self) -> Vec<ParamSpec>;

    /// The site's new output, which the backbone reads instead of [`SiteCall::output`]. It has the same shape.
    ///
    /// # Errors
    /// If tensors of these shapes cannot be combined.
    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor>;

    /// The prefixes that [`apply`](Self::apply) puts before keys and values at a key-value site, in the order in which it adds
    /// them: the last one comes first. Their lengths must add up to the number of positions that the output has more than the
    /// input. Default: none.
    fn prefixes(&self) -> Vec<KeyValuePrefix> {
        Vec::new()
    }

    /// The same effect as [`apply`](Self::apply), as data for a fused kernel. Default: none, so `apply` is called.
    ///
    /// The backbone asks only where the method acts alone, at a linear site or a sub-layer. If the result is `Some`, one kernel
    /// computes it together with the backbone's own step, and `apply` is not called. `weights` are as in a [`SiteCall`]. A
    /// method with dropout takes its key from `ctx` ([`Ctx::dropout_key`]) as in `apply`, and only if it returns `Some`.
    ///
    /// # Errors
    /// If `weights` are not as many as the method needs.
    fn fused<'a>(&self, weights: &'a [Tensor], ctx: &mut Ctx) -> Result<Option<Fused<'a>>> {
        let _ = (weights, ctx);
        Ok(None)
    }

    /// `ΔW` such that `x (W + ΔW)ᵀ` equals [`apply`](Self::apply) outside training. `None` if there is none: the method then
    /// cannot be merged.
    /// `base` is the backbone's weight ([`SiteCall::base`]); `weights` have no batch axis.
    ///
    /// # Errors
    /// If tensors of these shapes cannot be combined.
    fn delta(&self, weights: &[Tensor], base: &Tensor) -> Result<Option<Tensor>> {
        let _ = (weights, base);
        Ok(None)
    }

    /// `Δb` such that `b + Δb` is the module's bias with this method, where [`delta`](Self::delta) is its weight. `None` if the method
    /// leaves the bias as it is, which is the default. Only a site that has a [`bias`](Site::bias) is asked.
    ///
    /// [`apply`](Self::apply) sees `x Wᵀ` without the bias, so a method that multiplies a module's whole output must say here that the
    /// bias is multiplied too, as IA3 does: `b' = l ⊙ b`. `weights` have no batch axis.
    ///
    /// # Errors
    /// If tensors of these shapes cannot be combined.
    fn delta_bias(&self, weights: &[Tensor], bias: &Tensor) -> Result<Option<Tensor>> {
        let _ = (weights, bias);
        Ok(None)
    }

    /// Makes the gradients of [`apply`](Self::apply) and [`delta`](Self::delta) the derivative of their results, and returns whether they
    /// were something else on purpose. Default: nothing to do.
    ///
    /// A method may hold something constant in its backward pass, as DoRA does with a norm. Its gradients are then not the derivative of
    /// the loss, and a [check of gradients](crate::gradients) has to ask for a module that holds nothing constant.
    fn make_gradients_exact(&mut self) -> bool {
        false
    }

    /// The probability with which [`apply`](Self::apply) drops parts of its own input in training. Default: 0. A change of a weight
    /// cannot do that, so a [wrapped model](crate::Wrapped) refuses to train with it.
    fn dropout(&self) -> f64 {
        0.
    }
}

/// The configuration of a method: data that decides, site by site, what happens.
///
/// Implement it with `#[typetag::serde(name = "MY_METHOD")]`. The name is then the `peft_type` in configuration files. A
/// program that links your crate can read it; there is no list to register it in.
#[typetag::serde(tag = "peft_type")]
pub trait PeftConfig: Debug + ClonePeftConfig + AsAny + Send + Sync {
    /// The module for `site`, or `None` if this site is not a target.
    ///
    /// # Errors
    /// [`crate::Error::InvalidConfig`] if a field's value cannot work at a site that is a target.
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>>;

    /// Checks what only all sites of the backbone together can show, such as the names of stacks, before the first
    /// [`module`](Self::module). Default: nothing.
    ///
    /// # Errors
    /// [`crate::Error::InvalidConfig`] if a field names something that the backbone does not have.
    fn check_sites(&self, sites: &Sites) -> Result<()> {
        let _ = sites;
        Ok(())
    }

    /// Whether a model with this method computes the same as the bare backbone before the first training step, for every
    /// generator. The conformance kit checks a method that returns `true`. Default: `false`.
    fn identity_at_init(&self) -> bool {
        false
    }

    /// The modules that the configuration asks for. The error message shows them if nothing matches.
    fn target_modules(&self) -> Option<&TargetModules> {
        None
    }
}

crate::config::clone_boxed!(PeftConfig, ClonePeftConfig);
