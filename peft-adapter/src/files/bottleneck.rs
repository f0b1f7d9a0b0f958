//! Bottleneck adapters and Compacter in AdapterHub's files.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use peft_core::{AdapterCheckpoint, Result, Sites, nonzero};
use serde::Deserialize;
use serde_json::Value;

use super::architecture::unsupported;
use super::hidden_size;
use super::tensors::Tensors;
use crate::leave_out::all_layers;
use crate::{BottleneckConfig, CompacterConfig, LeaveOut, NonLinearity};

/// The epsilon of PyTorch's layer norm, which AdapterHub leaves as it is.
pub(super) const LAYER_NORM_EPS: f64 = 1e-5;

/// The fields of AdapterHub's `BnConfig` that say what is computed.
#[derive(Debug, Deserialize)]
pub(super) struct BnFields {
    mh_adapter: bool,
    output_adapter: bool,
    reduction_factor: Factor,
    non_linearity: String,
    #[serde(default)]
    original_ln_before: bool,
    #[serde(default = "yes")]
    original_ln_after: bool,
    #[serde(default)]
    ln_before: bool,
    #[serde(default)]
    ln_after: bool,
    #[serde(default)]
    is_parallel: bool,
    #[serde(default = "one")]
    scaling: Value,
    #[serde(default)]
    use_gating: bool,
    #[serde(default = "truth")]
    residual_before_ln: Value,
    #[serde(default)]
    adapter_residual_before_ln: bool,
    #[serde(default)]
    inv_adapter: Option<Value>,
    #[serde(default)]
    cross_adapter: bool,
    #[serde(default)]
    leave_out: Vec<usize>,
    #[serde(default)]
    dropout: f64,
    #[serde(default)]
    stochastic_depth: Option<f64>,
    #[serde(flatten)]
    phm: PhmFields,
}

/// The fields that make it Compacter.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct PhmFields {
    phm_layer: bool,
    phm_dim: NonZeroUsize,
    phm_rank: NonZeroUsize,
    #[serde(rename = "factorized_phm_W")]
    factorized_phm_w: bool,
    #[serde(rename = "shared_W_phm")]
    shared_w_phm: bool,
    shared_phm_rule: bool,
    factorized_phm_rule: bool,
    phm_bias: bool,
}

impl Default for PhmFields {
    fn default() -> Self {
        Self {
            phm_layer: false,
            phm_dim: nonzero(4),
            phm_rank: nonzero(1),
            factorized_phm_w: true,
            shared_w_phm: false,
            shared_phm_rule: true,
            factorized_phm_rule: false,
            phm_bias: true,
        }
    }
}

/// One factor for all layers, or one for each by its number, with a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Factor {
    All(f64),
    ByLayer(BTreeMap<String, f64>),
}

fn yes() -> bool {
    true
}

fn one() -> Value {
    1.0.into()
}

fn truth() -> Value {
    true.into()
}

/// The adapters of these fields, with their weights.
pub(super) fn read(fields: BnFields, tensors: &mut Tensors<'_>, sites: &Sites) -> Result<AdapterCheckpoint> {
    fields.check()?;
    let mut adapter = AdapterCheckpoint::default();
    for (factor, left_out) in fields.factors(sites)? {
        let config = fields.config(factor, sites, LeaveOut::from_numbers(&left_out, sites))?;
        let part = match fields.phm.phm_layer {
            true => tensors.adapter(fields.phm.compacter(config)?, sites)?,
            false => tensors.adapter(config, sites)?,
        };
        adapter.methods.extend(part.methods);
        adapter.weights.extend(part.weights);
    }
    Ok(adapter)
}

impl BnFields {
    /// Refuses what would compute something that is not here.
    fn check(&self) -> Result<()> {
        if self.inv_adapter.is_some() {
            let reason = "asks for an invertible adapter behind the embeddings, which is not read";
            return Err(unsupported("inv_adapter", reason));
        }
        if self.stochastic_depth.is_some_and(|p| p != 0.) {
            let reason = "is not 0: whole adapters are never dropped here";
            return Err(unsupported("stochastic_depth", reason));
        }
        Ok(())
    }

    fn config(&self, factor: f64, sites: &Sites, leave_out: LeaveOut) -> Result<BottleneckConfig> {
        let non_linearity = NonLinearity::deserialize(Value::from(self.non_linearity.to_lowercase()))
            .map_err(|e| unsupported("non_linearity", format!("is {:?}: {e}", self.non_linearity)))?;
        let residual_before_ln = self.residual_before_ln.as_bool().ok_or_else(|| {
            let reason = format!("is {}, which needs a layer norm behind the residual sum", self.residual_before_ln);
            unsupported("residual_before_ln", reason)
        })?;
        let scaling = self.scaling.as_f64().ok_or_else(|| {
            unsupported("scaling", format!("is {}: read is a constant factor, not a learned one", self.scaling))
        })?;
        Ok(BottleneckConfig {
            reduction_factor: factor,
            bottleneck_size: odd_width(factor, sites),
            non_linearity,
            mh_adapter: self.mh_adapter,
            output_adapter: self.output_adapter,
            cross_adapter: self.cross_adapter,
            ln_before: self.ln_before,
            ln_after: self.ln_after,
            layer_norm_eps: LAYER_NORM_EPS,
            is_parallel: self.is_parallel,
            scaling,
            use_gating: self.use_gating,
            original_ln_before: self.original_ln_before,
            original_ln_after: self.original_ln_after,
            residual_before_ln,
            adapter_residual_before_ln: self.adapter_residual_before_ln,
            leave_out,
            dropout: self.dropout,
        })
    }

    /// Each factor with the numbers of the layers that it does not hold for.
    fn factors(&self, sites: &Sites) -> Result<Vec<(f64, Vec<usize>)>> {
        let by_layer = match &self.reduction_factor {
            Factor::All(factor) => return Ok(vec![(*factor, self.leave_out.clone())]),
            Factor::ByLayer(by_layer) => by_layer,
        };
        let all = 0..all_layers(sites);
        let mut groups: Vec<(f64, BTreeSet<usize>)> = Vec::new();
        for layer in all.clone().filter(|layer| !self.leave_out.contains(layer)) {
            let given = by_layer.get(&layer.to_string()).or_else(|| by_layer.get("default"));
            let factor = *given.ok_or_else(|| {
                unsupported("reduction_factor", format!("has neither an target for layer {layer} nor a \"default\""))
            })?;
            match groups.iter_mut().find(|(one, _)| *one == factor) {
                Some((_, layers)) => layers.extend([layer]),
                None => groups.push((factor, BTreeSet::from([layer]))),
            }
        }
        let others = |layers: BTreeSet<usize>| all.clone().filter(|layer| !layers.contains(layer)).collect();
        Ok(groups.into_iter().map(|(factor, layers)| (factor, others(layers))).collect())
    }
}

impl PhmFields {
    /// Compacter in the place of `plain`.
    fn compacter(&self, plain: BottleneckConfig) -> Result<CompacterConfig> {
        let BottleneckConfig { is_parallel, use_gating, original_ln_after, residual_before_ln, .. } = plain;
        for (field, here, read) in [
            ("is_parallel", is_parallel, false),
            ("use_gating", use_gating, false),
            ("original_ln_after", original_ln_after, true),
            ("residual_before_ln", residual_before_ln, true),
            ("adapter_residual_before_ln", plain.adapter_residual_before_ln, false),
            ("shared_W_phm", self.shared_w_phm, false),
            ("factorized_phm_rule", self.factorized_phm_rule, false),
            ("phm_bias", self.phm_bias, true),
        ] {
            if here != read {
                return Err(unsupported(field, format!("is {here} with phm_layer, expected {read}")));
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

/// The width of AdapterHub's bottleneck: it divides as Python's `//` does, and no adapter is narrower than one.
pub(super) fn their_width(factor: f64, dim: usize) -> usize {
    let dim = dim as f64;
    ((dim - dim % factor) / factor).round().max(1.) as usize
}

/// That width where it is not the one that our `reduction_factor` gives.
fn odd_width(factor: f64, sites: &Sites) -> Option<NonZeroUsize> {
    let dim = hidden_size(sites)?;
    let theirs = their_width(factor, dim);
    (factor > 0. && theirs != (dim as f64 / factor) as usize).then(|| NonZeroUsize::new(theirs)).flatten()
}
