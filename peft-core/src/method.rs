//! What happens at a site: the traits that a PEFT method implements.

use std::fmt::Debug;

use candle_core::Tensor;
use dyn_clone::DynClone;

use crate::{AsAny, Ctx, KeyValuePrefix, ParamSpec, Result, Site, TargetModules};
use peft_kernels::Bottleneck;

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

/// What a method adds to a linear map where that is a product of two thin matrices: `s · Dropout(x) Aᵀ Bᵀ`.
#[derive(Debug, Clone, Copy)]
pub struct LowRankBranch<'a> {
    /// `A [r, d_in]`, or `[batch, r, d_in]`.
    pub a: &'a Tensor,
    /// `B [d_out, r]`, or `[batch, d_out, r]`.
    pub b: &'a Tensor,
    /// `s`.
    pub scaling: f64,
    /// The probability with which an element of the branch's input is dropped in training.
    pub dropout: f64,
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

    /// What [`apply`](Self::apply) puts in front at a key-value site, in the order in which it does so: the last prefix is
    /// in front of all others. The lengths must be those by which the output is longer. Default: nothing.
    fn prefixes(&self) -> Vec<KeyValuePrefix> {
        Vec::new()
    }

    /// The branch, where at a linear site it is all that [`apply`](Self::apply) adds: map and branch are then computed as one
    /// operation, without a tensor between them, and `apply` is not called. `weights` are as in a call.
    ///
    /// # Errors
    /// If there are other weights than the method needs.
    fn low_rank<'a>(&self, weights: &'a [Tensor]) -> Result<Option<LowRankBranch<'a>>> {
        let _ = weights;
        Ok(None)
    }

    /// The adapter, where at a hidden site `y + LN(W_up f(W_down y + b_down) + b_up)` is all that [`apply`](Self::apply)
    /// makes of `y`: adapter and residual sum are then computed as one operation, and `apply` is not called. `weights` are
    /// as in a call; there is no such operation for weights that differ by row.
    ///
    /// # Errors
    /// If there are other weights than the method needs.
    fn bottleneck<'a>(&self, weights: &'a [Tensor]) -> Result<Option<Bottleneck<'a>>> {
        let _ = weights;
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
