//! Bottleneck adapters in AdapterHub's files.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use peft_core::{Adapter, Entry, Error, ParamSpec, Result, Sites};
use serde::Deserialize;
use serde_json::Value;

use super::architecture::unsupported;
use super::folder::hidden_size;
use super::tensors::{Source, Tensors};
use crate::leave_out::all_layers;
use crate::{BottleneckConfig, LeaveOut, NonLinearity};

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
    phm_layer: bool,
    #[serde(default)]
    stochastic_depth: Option<f64>,
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
pub(super) fn read(fields: BnFields, tensors: &mut Tensors, sites: &Sites) -> Result<Adapter> {
    fields.check()?;
    let mut adapter = Adapter::default();
    for (factor, left_out) in fields.factors(sites)? {
        let config = fields.config(factor, odd_width(factor, sites), LeaveOut::from_numbers(&left_out, sites))?;
        let name = tensors.adapter.clone();
        let ln_before = config.ln_before;
        let part = tensors.adapter(config, sites, |entry, param| source(entry, param, &name, ln_before))?;
        adapter.methods.extend(part.methods);
        adapter.weights.extend(part.weights);
    }
    Ok(adapter)
}

impl BnFields {
    /// Refuses what would compute something that is not here.
    fn check(&self) -> Result<()> {
        if self.inv_adapter.is_some() {
            return Err(unsupported(
                "inv_adapter",
                "asks for an invertible adapter behind the embeddings, which is not read",
            ));
        }
        if self.stochastic_depth.is_some_and(|p| p != 0.) {
            return Err(unsupported(
                "stochastic_depth",
                "is not 0: dropping whole adapters in training is not supported",
            ));
        }
        if self.phm_layer {
            return Err(unsupported("phm_layer", "is true: Compacter's files are not read"));
        }
        Ok(())
    }

    fn config(
        &self,
        factor: f64,
        bottleneck_size: Option<NonZeroUsize>,
        leave_out: LeaveOut,
    ) -> Result<BottleneckConfig> {
        let function = self.non_linearity.to_lowercase();
        let residual_before_ln = self.residual_before_ln.as_bool().ok_or_else(|| {
            unsupported(
                "residual_before_ln",
                format!("is {}, which needs a layer norm behind the sum", self.residual_before_ln),
            )
        })?;
        let scaling = self.scaling.as_f64().ok_or_else(|| {
            unsupported("scaling", format!("is {}: only a constant factor is read, not a learned one", self.scaling))
        })?;
        Ok(BottleneckConfig {
            reduction_factor: factor,
            bottleneck_size,
            non_linearity: NonLinearity::deserialize(Value::from(function))
                .map_err(|e| unsupported("non_linearity", format!("is {:?}: {e}", self.non_linearity)))?,
            mh_adapter: self.mh_adapter,
            output_adapter: self.output_adapter,
            cross_adapter: self.cross_adapter,
            ln_before: self.ln_before,
            ln_after: self.ln_after,
            layer_norm_eps: 1e-5,
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
                unsupported("reduction_factor", format!("has neither an entry for layer {layer} nor a \"default\""))
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

/// The width where AdapterHub's differs from ours: it divides with Python's `//`, and no adapter is narrower than one.
fn odd_width(factor: f64, sites: &Sites) -> Option<NonZeroUsize> {
    let dim = hidden_size(sites)? as f64;
    let theirs = ((dim - dim % factor) / factor).round().max(1.);
    (factor > 0. && theirs != (dim / factor).floor()).then(|| NonZeroUsize::new(theirs as usize)).flatten()
}

/// The names and the shape of one weight in the file. Where there is a layer norm before, it is part of the sequence that
/// ends with the down projection, and stands beside it under a name of its own too.
fn source(entry: &Entry, param: &ParamSpec, adapter: &str, ln_before: bool) -> Result<Source> {
    let down = if ln_before { "adapter_down.1" } else { "adapter_down.0" };
    let (module, part) = param.name.rsplit_once('.').unwrap_or_default();
    let modules: &[&str] = match module {
        "adapter.down" => &[down],
        "adapter.up" => &["adapter_up"],
        "adapter.ln_before" => &["adapter_down.0", "adapter_norm_before"],
        "adapter.ln_after" => &["adapter_norm_after"],
        "adapter.gate" => &["gate"],
        _ => return Err(Error::Mismatch(format!("AdapterHub has no name for {}", entry.key(param)))),
    };
    let key = |module: &&str| format!("{}.adapters.{adapter}.{module}.{part}", entry.site.path);
    Ok(Source { keys: modules.iter().map(key).collect(), dims: param.dims.clone() })
}
