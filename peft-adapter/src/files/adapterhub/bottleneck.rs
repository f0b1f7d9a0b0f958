//! Bottleneck adapters in AdapterHub's files.

use peft_core::{PeftConfig, Result, Sites, TargetedModule};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fields::{non_linearity, refused, unsupported};
use super::reduction_factor::ReductionFactor;
use super::width::{factor_for, width_unlike_ours};
use crate::{BottleneckConfig, LeaveOut};

/// The epsilon of PyTorch's layer norm, which AdapterHub does not change.
const LAYER_NORM_EPS: f64 = 1e-5;

/// The fields of AdapterHub's `BnConfig` that say what is computed, except Compacter's.
#[derive(Debug, Deserialize)]
pub(super) struct BnFields {
    mh_adapter: bool,
    output_adapter: bool,
    reduction_factor: ReductionFactor,
    non_linearity: String,
    #[serde(default)]
    ln_after: bool,
    #[serde(default = "one")]
    scaling: Value,
    #[serde(default = "truth")]
    residual_before_ln: Value,
    #[serde(default)]
    inv_adapter: Option<Value>,
    #[serde(default)]
    leave_out: Vec<usize>,
    #[serde(default)]
    stochastic_depth: Option<f64>,
    /// The fields that have the same names, values and defaults here.
    #[serde(flatten)]
    same: BottleneckConfig,
}

fn one() -> Value {
    1.0.into()
}

fn truth() -> Value {
    true.into()
}

/// The methods of these fields: one for each reduction factor.
pub(super) fn read(fields: &BnFields, sites: &Sites) -> Result<Vec<Box<dyn PeftConfig>>> {
    Ok(fields.configs(sites)?.into_iter().map(|config| Box::new(config) as Box<dyn PeftConfig>).collect())
}

impl BnFields {
    /// One configuration for each reduction factor.
    pub(super) fn configs(&self, sites: &Sites) -> Result<Vec<BottleneckConfig>> {
        self.check()?;
        let factors = self.reduction_factor.with_leave_out(&self.leave_out, sites)?;
        let config =
            |(factor, left): (f64, Vec<usize>)| self.config(factor, LeaveOut::from_numbers(&left, sites), sites);
        factors.into_iter().map(config).collect()
    }

    /// Refuses what this crate does not compute.
    fn check(&self) -> Result<()> {
        if self.inv_adapter.is_some() {
            let reason = "asks for an invertible adapter after the embeddings, which is not supported";
            return Err(unsupported("inv_adapter", reason));
        }
        if self.stochastic_depth.is_some_and(|p| p != 0.) {
            let reason = "is not 0: dropping whole adapters is not supported";
            return Err(unsupported("stochastic_depth", reason));
        }
        Ok(())
    }

    fn config(&self, factor: f64, leave_out: LeaveOut, sites: &Sites) -> Result<BottleneckConfig> {
        let residual_before_ln = self.residual_before_ln.as_bool().ok_or_else(|| {
            let reason = format!("is {}, which needs a layer norm after the residual sum", self.residual_before_ln);
            unsupported("residual_before_ln", reason)
        })?;
        let scaling = self.scaling.as_f64().ok_or_else(|| {
            unsupported(
                "scaling",
                format!("is {}: only a constant factor is supported, not a learned one", self.scaling),
            )
        })?;
        Ok(BottleneckConfig {
            reduction_factor: factor,
            bottleneck_size: width_unlike_ours(factor, sites),
            non_linearity: non_linearity(&self.non_linearity)?,
            mh_adapter: self.mh_adapter,
            output_adapter: self.output_adapter,
            ln_after: self.ln_after,
            layer_norm_eps: LAYER_NORM_EPS,
            scaling,
            residual_before_ln,
            leave_out,
            ..self.same.clone()
        })
    }
}

/// All of AdapterHub's fields for `config`, which acts at `targets`.
pub(super) fn describe(config: &BottleneckConfig, targets: &[&TargetedModule], sites: &Sites) -> Result<Value> {
    let dims = targets.first().and_then(|target| target.params.first()).map(|down| down.dims.as_slice());
    let factor = match dims {
        Some([width, dim]) => factor_for(config.reduction_factor, *width, *dim),
        _ => config.reduction_factor,
    };
    check_epsilon("BOTTLENECK", config)?;
    Ok(describe_with(config, factor, sites))
}

/// All of AdapterHub's fields for `config`, with this reduction factor.
pub(super) fn describe_with(config: &BottleneckConfig, reduction_factor: f64, sites: &Sites) -> Value {
    json!({
        "adapter_residual_before_ln": config.adapter_residual_before_ln,
        "cross_adapter": config.cross_adapter,
        "dropout": config.dropout,
        "factorized_phm_W": true,
        "factorized_phm_rule": false,
        "hypercomplex_nonlinearity": "glorot-uniform",
        "init_weights": if config.is_parallel { "mam_adapter" } else { "bert" },
        "init_weights_seed": null,
        "inv_adapter": null,
        "inv_adapter_reduction_factor": null,
        "is_parallel": config.is_parallel,
        "learn_phm": true,
        "leave_out": config.leave_out.numbers(sites),
        "ln_after": config.ln_after,
        "ln_before": config.ln_before,
        "mh_adapter": config.mh_adapter,
        "non_linearity": config.non_linearity,
        "original_ln_after": config.original_ln_after,
        "original_ln_before": config.original_ln_before,
        "output_adapter": config.output_adapter,
        "phm_bias": true,
        "phm_c_init": "normal",
        "phm_dim": 4,
        "phm_init_range": 0.0001,
        "phm_layer": false,
        "phm_rank": 1,
        "reduction_factor": reduction_factor,
        "residual_before_ln": config.residual_before_ln,
        // A float even where it is whole: AdapterHub takes any other number for a word.
        "scaling": config.scaling,
        "shared_W_phm": false,
        "shared_phm_rule": true,
        "stochastic_depth": 0.0,
        "use_gating": config.use_gating,
    })
}

/// Refuses layer norms with an epsilon that is not PyTorch's; `kind` is the method's name.
pub(super) fn check_epsilon(kind: &str, config: &BottleneckConfig) -> Result<()> {
    let epsilon = config.layer_norm_eps;
    if (config.ln_before || config.ln_after) && epsilon != LAYER_NORM_EPS {
        let reason = format!("is {epsilon}; AdapterHub's layer norms have {LAYER_NORM_EPS} and no field for it");
        return Err(refused(kind, "layer_norm_eps", reason));
    }
    Ok(())
}
