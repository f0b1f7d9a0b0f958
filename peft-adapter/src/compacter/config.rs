//! The configuration of Compacter, with AdapterHub's field names.

use std::num::NonZeroUsize;

use peft_core::{Error, PeftConfig, PeftModule, Result, Site, SiteKind, Sites, check_dropout, nonzero};
use serde::{Deserialize, Serialize};

use super::module::Compacter;
use super::phm::Phm;
use crate::bottleneck::narrowed;
use crate::frame::Frame;
use crate::{BottleneckConfig, LeaveOut, NonLinearity};

/// The name in configuration files.
const PEFT_TYPE: &str = "COMPACTER";

/// Compacter (Karimi Mahabadi, Henderson and Ruder 2021, *Compacter: Efficient Low-Rank Hypercomplex Adapter Layers*,
/// arXiv 2106.04647, sections 4.1 to 4.3): a bottleneck adapter whose two projections are
///
/// `x W + b` with `W = Σᵢ Aᵢ ⊗ Bᵢ` and `Bᵢ = sᵢ tᵢ`, `i = 1..n`,
///
/// where `n = phm_dim`, `Aᵢ: [n, n]` are the rules, which all adapters share (`shared_phm_rule`), and, for a projection from
/// `a` to `b` features, `sᵢ: [a/n, phm_rank]` and `tᵢ: [phm_rank, b/n]`; `Bᵢ: [a/n, b/n]` itself without
/// `factorized_phm_W`. The stream `h` becomes `h + y + LN_after(s · P(LN_before(y)))` with `P(x) = f(x W_d + b_d) W_u + b_u`
/// and `s = scaling`; with `original_ln_before` `P` reads `h + y`.
///
/// At the start the rules are normal with deviation `phm_init_range`, the factors normal with Glorot's deviation `√(2 / (rows
/// + columns))`, and biases zero: the adapter changes almost nothing. All of these weights can be generated.
///
/// Field names and defaults are those of AdapterHub's `Compacter`; its `Compacter++` is [`plus_plus`](Self::plus_plus).
///
/// ```
/// use peft_adapter::CompacterConfig;
///
/// let config = CompacterConfig::new(16.).phm_dim(2).ln_after(true);
/// # assert_eq!(config.phm_dim.get(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompacterConfig {
    /// How many times narrower the bottleneck is than the hidden state. Default 32.
    pub reduction_factor: f64,
    /// The number of Kronecker products `n`, which must divide the hidden size and the bottleneck's width. Default 4.
    pub phm_dim: NonZeroUsize,
    /// The rank of each `Bᵢ`. Default 1.
    pub phm_rank: NonZeroUsize,
    /// Whether `Bᵢ` is a product of two factors. Default: yes.
    #[serde(rename = "factorized_phm_W")]
    pub factorized_phm_w: bool,
    /// Whether all adapters, both projections of each, share the rules. Default: yes.
    pub shared_phm_rule: bool,
    /// The standard deviation of the rules at the start. Default 1e-4.
    pub phm_init_range: f64,
    /// The function between the projections. Default `gelu`.
    pub non_linearity: NonLinearity,
    /// An adapter after self-attention. Default: yes.
    pub mh_adapter: bool,
    /// An adapter after the feed-forward block. Default: yes.
    pub output_adapter: bool,
    /// An adapter after cross-attention. Default: no.
    pub cross_adapter: bool,
    /// Whether the adapter reads the sub-layer's output with the residual stream added. Default: no.
    pub original_ln_before: bool,
    /// A layer norm before the down projection. Default: no.
    pub ln_before: bool,
    /// A layer norm after the up projection, before the residual sum. Default: no.
    pub ln_after: bool,
    /// The layer norms' epsilon. Default 1e-5.
    pub layer_norm_eps: f64,
    /// The factor of the up projection's output. Default 1.
    pub scaling: f64,
    /// Layers without adapters. Default: none.
    pub leave_out: LeaveOut,
    /// The probability with which an element of the up projection's output is dropped in training. Default 0.
    pub dropout: f64,
}

impl Default for CompacterConfig {
    fn default() -> Self {
        Self {
            reduction_factor: 32.,
            phm_dim: nonzero(4),
            phm_rank: nonzero(1),
            factorized_phm_w: true,
            shared_phm_rule: true,
            phm_init_range: 1e-4,
            non_linearity: NonLinearity::Gelu,
            mh_adapter: true,
            output_adapter: true,
            cross_adapter: false,
            original_ln_before: false,
            ln_before: false,
            ln_after: false,
            layer_norm_eps: 1e-5,
            scaling: 1.,
            leave_out: LeaveOut::default(),
            dropout: 0.,
        }
    }
}

impl CompacterConfig {
    /// The bottleneck adapter that has everything but the projections in common with this one.
    pub(crate) fn bottleneck(&self) -> BottleneckConfig {
        BottleneckConfig {
            reduction_factor: self.reduction_factor,
            non_linearity: self.non_linearity,
            mh_adapter: self.mh_adapter,
            output_adapter: self.output_adapter,
            cross_adapter: self.cross_adapter,
            original_ln_before: self.original_ln_before,
            ln_before: self.ln_before,
            ln_after: self.ln_after,
            layer_norm_eps: self.layer_norm_eps,
            scaling: self.scaling,
            leave_out: self.leave_out.clone(),
            dropout: self.dropout,
            ..BottleneckConfig::double_seq_bn()
        }
    }

    fn phm(&self, d_in: usize, d_out: usize) -> Result<Phm> {
        let n = self.phm_dim.get();
        if !d_in.is_multiple_of(n) || !d_out.is_multiple_of(n) {
            let reason = format!("is {n}, expected a divisor of {d_in} and {d_out}, the widths of a projection");
            return Err(Error::invalid(PEFT_TYPE, "phm_dim", reason));
        }
        let rank = self.factorized_phm_w.then_some(self.phm_rank.get());
        Ok(Phm { n, d_in, d_out, rank })
    }
}

#[typetag::serde(name = "COMPACTER")]
impl PeftConfig for CompacterConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let SiteKind::SubLayer { dim } = site.kind else {
            return Ok(None);
        };
        let plain = self.bottleneck();
        if !plain.wants(site) {
            return Ok(None);
        }
        check_dropout(PEFT_TYPE, "dropout", self.dropout)?;
        let width = narrowed(PEFT_TYPE, dim, self.reduction_factor)?;
        let (down, up) = (self.phm(dim, width)?, self.phm(width, dim)?);
        Ok(Some(Box::new(Compacter {
            dim,
            down,
            up,
            shared_rule: self.shared_phm_rule,
            rule_stdev: self.phm_init_range,
            frame: Frame(plain),
        })))
    }

    fn check_sites(&self, sites: &Sites) -> Result<()> {
        self.leave_out.check(PEFT_TYPE, sites)
    }
}
