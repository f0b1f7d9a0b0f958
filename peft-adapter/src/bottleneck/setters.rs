//! How a bottleneck adapter is configured in code.

use peft_core::setters;

use super::BottleneckConfig;
use crate::{LeaveOut, NonLinearity};

setters! {
    BottleneckConfig {
        reduction_factor => reduction_factor: f64,
        bottleneck_size => bottleneck_size: nonzero,
        non_linearity => non_linearity: NonLinearity,
        mh_adapter => mh_adapter: bool,
        output_adapter => output_adapter: bool,
        cross_adapter => cross_adapter: bool,
        ln_before => ln_before: bool,
        ln_after => ln_after: bool,
        layer_norm_eps => layer_norm_eps: f64,
        is_parallel => is_parallel: bool,
        scaling => scaling: f64,
        use_gating => use_gating: bool,
        original_ln_before => original_ln_before: bool,
        original_ln_after => original_ln_after: bool,
        residual_before_ln => residual_before_ln: bool,
        adapter_residual_before_ln => adapter_residual_before_ln: bool,
        leave_out => leave_out: LeaveOut,
        dropout => dropout: f64,
    }
}

impl BottleneckConfig {
    /// Adapters whose bottleneck is `reduction_factor` times narrower than the hidden state, otherwise the default.
    pub fn new(reduction_factor: f64) -> Self {
        Self { reduction_factor, ..Self::default() }
    }
}
