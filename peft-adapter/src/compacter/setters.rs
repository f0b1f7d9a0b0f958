//! How Compacter is configured in code.

use peft_core::setters;

use super::CompacterConfig;
use crate::{LeaveOut, NonLinearity};

setters! {
    CompacterConfig {
        reduction_factor => reduction_factor: f64,
        phm_dim => phm_dim: nonzero,
        phm_rank => phm_rank: nonzero,
        factorized_phm_w => factorized_phm_w: bool,
        shared_phm_rule => shared_phm_rule: bool,
        phm_init_range => phm_init_range: f64,
        non_linearity => non_linearity: NonLinearity,
        mh_adapter => mh_adapter: bool,
        output_adapter => output_adapter: bool,
        cross_adapter => cross_adapter: bool,
        original_ln_before => original_ln_before: bool,
        ln_before => ln_before: bool,
        ln_after => ln_after: bool,
        layer_norm_eps => layer_norm_eps: f64,
        scaling => scaling: f64,
        leave_out => leave_out: LeaveOut,
        dropout => dropout: f64,
    }
}

impl CompacterConfig {
    /// Compacter whose bottleneck is `reduction_factor` times narrower than the hidden state, otherwise the default.
    pub fn new(reduction_factor: f64) -> Self {
        Self { reduction_factor, ..Self::default() }
    }

    /// AdapterHub's `Compacter++`: only after feed-forward blocks, reading the sum with the residual stream.
    pub fn plus_plus() -> Self {
        Self { mh_adapter: false, original_ln_before: true, ..Self::default() }
    }
}
