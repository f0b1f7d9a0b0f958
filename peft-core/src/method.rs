//! What happens at a site: the traits that a PEFT method implements.

use std::fmt::Debug;

use candle_core::Tensor;
use dyn_clone::DynClone;

use crate::{AsAny, Ctx, ParamSpec, Result, Site, TargetModules};
use peft_kernels::{Bottleneck, LowRank};

/// Everything that a method sees when the forward pass reaches one of its sites.
#[derive(Debug, Clone, Copy)]
pub struct SiteCall<'a> {
    /// Linear: the input `x`, `[batch, length, d_in]`. Hidden: the residual stream `h`, `[batch, length, dim]`.
    pub input: &'a Tensor,
    /// Linear: `x Wᵀ`, `[batch, length, d_out]`. Hidden: the sub-layer's output `y`, `[batch, length, dim]`.
    /// Where several methods act on one site, the output of those before.
    pub output: &'a Tensor,
    /// Linear: the backbone's weight `W`, `[d_out, d_in]`. Hidden: none.
    pub base: Option<&'a Tensor>,
    /// The method's weights, in the order of [`PeftModule::params`]. Each has the shape of its spec, or one
    /// leading batch axis when the rows of the batch use different weights.
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
        .map_err(|_| crate::Error::Mismatch(format!("a method with {N} weights was given {}", weights.len())))
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

/// What a method does at ONE site. It knows shapes and an equation; it holds no tensors.
pub trait PeftModule: Debug + Send + Sync {
    /// The weights that it needs here.
    fn params(&self) -> Vec<ParamSpec>;

    /// The site's new output. Linear and hidden sites alike: what the next module of the backbone reads.
    ///
    /// # Errors
    /// If tensors of these shapes cannot be combined.
    fn apply(&self, call: &SiteCall<'_>, ctx: &mut Ctx) -> Result<Tensor>;

    /// The same effect as [`apply`](Self::apply), as data for a fused kernel. Default: none, and `apply` is called.
    ///
    /// It is called only where the method acts alone at a linear site or a sub-layer. What it returns is computed in one
    /// operation with the backbone's own step, and `apply` is not called. `weights` are as in a [`SiteCall`]. A method with
    /// dropout takes its key from `ctx` ([`Ctx::dropout_key`]) here, as `apply` would, and only if it returns `Some`.
    ///
    /// # Errors
    /// If `weights` are not as many as the method needs.
    fn fused<'a>(&self, weights: &'a [Tensor], ctx: &mut Ctx) -> Result<Option<Fused<'a>>> {
        let _ = (weights, ctx);
        Ok(None)
    }

    /// `ΔW` such that `x (W + ΔW)ᵀ` equals [`apply`](Self::apply) outside training, if there is one.
    /// `base` is `W: [d_out, d_in]`; `weights` have no batch axis.
    ///
    /// # Errors
    /// If tensors of these shapes cannot be combined.
    fn delta(&self, weights: &[Tensor], base: &Tensor) -> Result<Option<Tensor>> {
        let _ = (weights, base);
        Ok(None)
    }
}

/// A method's configuration: data that decides, site by site, what happens.
///
/// Implement it with `#[typetag::serde(name = "MY_METHOD")]`; the name then stands as `peft_type` in configuration
/// files, and linking the crate is all that registers it.
#[typetag::serde(tag = "peft_type")]
pub trait PeftConfig: Debug + DynClone + AsAny + Send + Sync {
    /// The module for `site`, or `None` where this site is not a target.
    ///
    /// # Errors
    /// [`crate::Error::InvalidConfig`] if a field's value cannot work at a site that is a target.
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>>;

    /// Whether a model with this method begins as it was without it, whatever generates the weights. Say so where it is so:
    /// the conformance kit holds a method to it. Default: no promise.
    fn identity_at_init(&self) -> bool {
        false
    }

    /// What the configuration aims at, for the message when nothing matches.
    fn target_modules(&self) -> Option<&TargetModules> {
        None
    }
}

dyn_clone::clone_trait_object!(PeftConfig);
