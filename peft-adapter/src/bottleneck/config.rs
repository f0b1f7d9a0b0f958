//! The configuration of a bottleneck adapter, with AdapterHub's field names.

use std::num::NonZeroUsize;

use peft_core::{Error, Result, Site, SiteRole};
use serde::{Deserialize, Serialize};

use crate::{LeaveOut, NonLinearity};

/// The name in configuration files.
pub(super) const PEFT_TYPE: &str = "BOTTLENECK";

/// Bottleneck adapters parallel to sub-layers or after them (Houlsby et al. 2019, arXiv 1902.00751, section 2; Pfeiffer et al. 2021,
/// arXiv 2005.00247; He et al. 2022, arXiv 2110.04366), with the layer norm that HyperFormer and HyperLoader generate
/// (Karimi Mahabadi et al. 2021, arXiv 2106.04489; arXiv 2407.01411).
///
/// With `h` the residual stream and `y` the sub-layer's output, both `[batch, length, d]`, the new residual stream is
///
/// | shape | fields | new stream |
/// |---|---|---|
/// | double sequential, sequential | (the default) | `h + y + LN_after(s · P(LN_before(y)))` |
/// | sequential after the residual sum | `original_ln_before` | `h + y + LN_after(s · P(LN_before(h + y)))` |
/// | parallel | `is_parallel` | `h + y + LN_after(s · P(LN_before(h)))` |
///
/// where `P(x) = W_up f(W_down x + b_down) + b_up`, `W_down: [m, d]`, `W_up: [d, m]`, `m = ⌊d / reduction_factor⌋`, and
/// `s = scaling`. `LN` subtracts the mean. With `use_gating` (UniPELT: Mao et al. 2022, arXiv 2110.07577) `s · P` is
/// multiplied, for each row of the batch, by `mean over positions of sigmoid(g x + c)`, `g: [1, d]`, `c: [1]`, where `x` is the
/// input of `LN_before`. As in AdapterHub, the mean is over every position of a call, padding included; in decoding, over the
/// positions of one step.
///
/// At the start the projections are normal with deviation 0.01, biases zero, and layer norms one and zero. Generated weights
/// (gamma and beta too) come from heads that start normal with deviation 0.01 and zero bias. The adapter comes before the
/// backbone's own dropout of the sub-layer's output, AdapterHub's after it; this makes a difference in training only.
///
/// Field names and meanings are AdapterHub's; defaults are HyperLoader's. AdapterHub's named shapes are
/// [`double_seq_bn`](Self::double_seq_bn), [`seq_bn`](Self::seq_bn) and [`par_bn`](Self::par_bn).
///
/// ```
/// use peft_adapter::{BottleneckConfig, NonLinearity};
///
/// let config = BottleneckConfig::new(8.).non_linearity(NonLinearity::Relu).cross_adapter(true);
/// let parallel = BottleneckConfig::par_bn().dropout(0.1);
/// # assert!(config.cross_adapter && parallel.is_parallel);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BottleneckConfig {
    /// How many times narrower the bottleneck is than the hidden state. Default 32.
    pub reduction_factor: f64,
    /// The width of the bottleneck; it takes precedence over `reduction_factor`. Default: none.
    pub bottleneck_size: Option<NonZeroUsize>,
    /// The function between the projections. Default `gelu_new`.
    pub non_linearity: NonLinearity,
    /// An adapter after self-attention. Default: yes.
    pub mh_adapter: bool,
    /// An adapter after the feed-forward block. Default: yes.
    pub output_adapter: bool,
    /// An adapter after cross-attention. Default: no.
    pub cross_adapter: bool,
    /// A layer norm before the down projection. Default: no.
    pub ln_before: bool,
    /// A layer norm after the up projection, before the residual sum. Default: yes.
    pub ln_after: bool,
    /// The layer norms' epsilon. Default 1e-5.
    pub layer_norm_eps: f64,
    /// Whether the adapter is parallel to the sub-layer: it reads the residual stream, not the sub-layer's output. Default: no.
    pub is_parallel: bool,
    /// The factor `s` that multiplies the up projection's output. Default 1.
    pub scaling: f64,
    /// Whether a learned gate scales the adapter's output, by one number for each sentence. Default: no.
    pub use_gating: bool,
    /// Sequential only: the backbone's residual sum comes before the adapter, which then reads `h + y`. (AdapterHub applies
    /// the backbone's layer norm here too, where one follows the sum; in T5 none does.) Default: no.
    pub original_ln_before: bool,
    /// Whether the backbone adds the residual stream after the adapter. Default: yes. If not, only the adapter's own residual
    /// carries the stream.
    pub original_ln_after: bool,
    /// With `original_ln_before`: whether the residual around the adapter is `y`, from before that sum, not `h + y`.
    /// Default: yes.
    pub residual_before_ln: bool,
    /// Sequential with `ln_after` only: whether the residual around the adapter is added before that layer norm. Default: no.
    pub adapter_residual_before_ln: bool,
    /// Layers without adapters. Default: none.
    pub leave_out: LeaveOut,
    /// The probability with which an element of the up projection's output is dropped in training. Default 0.
    pub dropout: f64,
}

impl Default for BottleneckConfig {
    fn default() -> Self {
        Self {
            reduction_factor: 32.,
            bottleneck_size: None,
            non_linearity: NonLinearity::GeluNew,
            mh_adapter: true,
            output_adapter: true,
            cross_adapter: false,
            ln_before: false,
            ln_after: true,
            layer_norm_eps: 1e-5,
            is_parallel: false,
            scaling: 1.,
            use_gating: false,
            original_ln_before: false,
            original_ln_after: true,
            residual_before_ln: true,
            adapter_residual_before_ln: false,
            leave_out: LeaveOut::default(),
            dropout: 0.,
        }
    }
}

impl BottleneckConfig {
    /// Whether an adapter acts at `site`.
    pub(crate) fn wants(&self, site: &Site) -> bool {
        const ROLES: [SiteRole; 3] = [SiteRole::SELF_ATTENTION, SiteRole::CROSS_ATTENTION, SiteRole::FEED_FORWARD];
        let on = [self.mh_adapter, self.cross_adapter, self.output_adapter];
        let wanted = ROLES.iter().zip(on).any(|(role, on)| on && *role == site.role);
        wanted && !self.leave_out.contains(site)
    }

    pub(super) fn width(&self, dim: usize) -> Result<usize> {
        match self.bottleneck_size {
            Some(width) => Ok(width.get()),
            None => narrowed(PEFT_TYPE, dim, self.reduction_factor),
        }
    }
}

/// `⌊dim / factor⌋`, which must be at least 1. `kind` is the name of the method.
pub(crate) fn narrowed(kind: &str, dim: usize, factor: f64) -> Result<usize> {
    let width = dim as f64 / factor;
    if width >= 1. && width.is_finite() {
        return Ok(width as usize);
    }
    let reason = format!("is {factor}, expected above 0 and at most the hidden size {dim}");
    Err(Error::invalid(kind, "reduction_factor", reason))
}
