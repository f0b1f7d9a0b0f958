//! Compacter in AdapterHub's files: a bottleneck adapter with fields for hypercomplex projections.

use std::num::NonZeroUsize;

use peft_core::{PeftConfig, Result, Sites, nonzero};
use serde::Deserialize;
use serde_json::{Value, json};
use smart_default::SmartDefault;

use super::bottleneck::{BnFields, check_epsilon, describe_with};
use super::fields::unsupported;
use super::width::{factor_for, hidden_size};
use crate::files::json::with;
use crate::{BottleneckConfig, CompacterConfig};

/// The fields of AdapterHub's `BnConfig` that make it Compacter.
#[derive(Debug, Deserialize, SmartDefault)]
#[serde(default)]
pub(super) struct PhmFields {
    /// Whether it is Compacter.
    pub(super) phm_layer: bool,
    #[default(nonzero(4))]
    phm_dim: NonZeroUsize,
    #[default(nonzero(1))]
    phm_rank: NonZeroUsize,
    #[default(true)]
    #[serde(rename = "factorized_phm_W")]
    factorized_phm_w: bool,
    #[serde(rename = "shared_W_phm")]
    shared_w_phm: bool,
    #[default(true)]
    shared_phm_rule: bool,
    factorized_phm_rule: bool,
    #[default(true)]
    phm_bias: bool,
}

/// The methods of these fields: one for each reduction factor.
pub(super) fn read(fields: &BnFields, phm: &PhmFields, sites: &Sites) -> Result<Vec<Box<dyn PeftConfig>>> {
    let compacter = |plain| Ok(Box::new(phm.compacter(plain)?) as Box<dyn PeftConfig>);
    fields.configs(sites)?.into_iter().map(compacter).collect()
}

impl PhmFields {
    /// Compacter with the other fields of `plain`.
    fn compacter(&self, plain: BottleneckConfig) -> Result<CompacterConfig> {
        for (field, here, expected) in [
            ("is_parallel", plain.is_parallel, false),
            ("use_gating", plain.use_gating, false),
            ("original_ln_after", plain.original_ln_after, true),
            ("residual_before_ln", plain.residual_before_ln, true),
            ("adapter_residual_before_ln", plain.adapter_residual_before_ln, false),
            ("shared_W_phm", self.shared_w_phm, false),
            ("factorized_phm_rule", self.factorized_phm_rule, false),
            ("phm_bias", self.phm_bias, true),
        ] {
            if here != expected {
                return Err(unsupported(field, format!("is {here} with phm_layer, expected {expected}")));
            }
        }
        Ok(CompacterConfig {
            reduction_factor: plain.reduction_factor,
            phm_dim: self.phm_dim,
            phm_rank: self.phm_rank,
            factorized_phm_w: self.factorized_phm_w,
            shared_phm_rule: self.shared_phm_rule,
            non_linearity: plain.non_linearity,
            mh_adapter: plain.mh_adapter,
            output_adapter: plain.output_adapter,
            cross_adapter: plain.cross_adapter,
            original_ln_before: plain.original_ln_before,
            ln_before: plain.ln_before,
            ln_after: plain.ln_after,
            layer_norm_eps: plain.layer_norm_eps,
            scaling: plain.scaling,
            leave_out: plain.leave_out,
            dropout: plain.dropout,
            ..CompacterConfig::default()
        })
    }
}

/// All of AdapterHub's fields for `config`.
pub(super) fn describe(config: &CompacterConfig, sites: &Sites) -> Result<Value> {
    let plain = config.bottleneck();
    check_epsilon("COMPACTER", &plain)?;
    let dim = hidden_size(sites).unwrap_or_default();
    let width = (dim as f64 / config.reduction_factor) as usize;
    let fields = describe_with(&plain, factor_for(config.reduction_factor, width, dim), sites);
    let phm = json!({
        "phm_layer": true,
        "phm_dim": config.phm_dim,
        "phm_rank": config.phm_rank,
        "phm_init_range": config.phm_init_range,
        "factorized_phm_W": config.factorized_phm_w,
        "shared_phm_rule": config.shared_phm_rule,
    });
    Ok(with(fields, phm))
}
