//! `adapter_config.json` as AdapterHub writes it.

use peft_core::{AdapterCheckpoint, Error, PeftConfig, Result, Sites, TargetedModule};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::architecture::unsupported;
use super::bottleneck::{LAYER_NORM_EPS, their_width};
use super::placement::LoraPlacement;
use super::{hidden_size, lora, prefix};
use crate::leave_out::all_layers;
use crate::{BottleneckConfig, CompacterConfig};

/// The version whose files these are.
const VERSION: &str = "adapters.1.3.0";

/// What `adapter_config.json` says beside the method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// The adapter's name, without dots. Default `task`.
    pub name: String,
    /// The family of the backbone. Default `t5`.
    pub model_type: String,
    /// The class of the backbone. Default `T5ForConditionalGeneration`.
    pub model_class: String,
    /// The name of the backbone on the hub. Default: none (empty).
    pub model_name: String,
}

impl Default for ModelInfo {
    fn default() -> Self {
        Self {
            name: "task".to_owned(),
            model_type: "t5".to_owned(),
            model_class: "T5ForConditionalGeneration".to_owned(),
            model_name: String::new(),
        }
    }
}

/// The text of the configuration of `adapter`.
pub(super) fn text(adapter: &AdapterCheckpoint, sites: &Sites, model: &ModelInfo) -> Result<String> {
    let ModelInfo { name, model_type, model_class, model_name } = model;
    if name.is_empty() || name.contains('.') {
        return Err(unsupported("name", format!("is {name:?}, expected a name without dots")));
    }
    let plan = adapter.plan(sites)?;
    let mut members = Vec::new();
    for (number, method) in adapter.methods.iter().enumerate() {
        let entries: Vec<&TargetedModule> = plan.targets().iter().filter(|target| target.method == number).collect();
        members.push(member(method.as_ref(), &entries, sites)?);
    }
    check_apart(&members, sites)?;
    let config = match members.as_slice() {
        [one] => one.clone(),
        _ => json!({"architecture": "union", "configs": members}),
    };
    let whole = json!({
        "config": config,
        "hidden_size": hidden_size(sites),
        "model_class": model_class,
        "model_name": model_name,
        "model_type": model_type,
        "name": name,
        "version": VERSION,
    });
    serde_json::to_string_pretty(&whole).map_err(|e| Error::Mismatch(e.to_string()))
}

/// The fields of one method, which acts at `entries`.
fn member(method: &dyn PeftConfig, entries: &[&TargetedModule], sites: &Sites) -> Result<Value> {
    match method.typetag_name() {
        "BOTTLENECK" => bottleneck(&config(method)?, entries, sites),
        "COMPACTER" => compacter(&config(method)?, entries, sites),
        kind @ ("LORA" | "IA3") => {
            let here: Vec<_> = entries.iter().map(|target| &target.site).collect();
            let placement = LoraPlacement::of(&here, sites, kind)?;
            match kind {
                "LORA" => lora::describe(&config(method)?, entries, &placement),
                _ => lora::describe_ia3(&config(method)?, entries, &placement),
            }
        }
        "PREFIX" => Ok(prefix::describe(&config(method)?)),
        kind => Err(refused(
            kind,
            "peft_type",
            "is not written; known: BOTTLENECK, COMPACTER, LORA, IA3, PREFIX and unions",
        )),
    }
}

/// The configuration behind the trait object.
fn config<T: DeserializeOwned>(method: &dyn PeftConfig) -> Result<T> {
    let again = || -> serde_json::Result<T> {
        let mut value = serde_json::to_value(method)?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("peft_type");
        }
        serde_json::from_value(value)
    };
    again().map_err(|e| Error::Mismatch(format!("{}: {e}", method.typetag_name())))
}

/// AdapterHub's fields of a bottleneck adapter, all of them.
fn bottleneck(config: &BottleneckConfig, entries: &[&TargetedModule], sites: &Sites) -> Result<Value> {
    check_epsilon("BOTTLENECK", config.ln_before || config.ln_after, config.layer_norm_eps)?;
    let dims = entries.first().and_then(|target| target.params.first()).map(|down| down.dims.as_slice());
    let factor = match dims {
        Some([width, dim]) => factor(config.reduction_factor, *width, *dim),
        _ => config.reduction_factor,
    };
    Ok(json!({
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
        "reduction_factor": factor,
        "residual_before_ln": config.residual_before_ln,
        // AdapterHub takes a number that is no float for a word.
        "scaling": config.scaling,
        "shared_W_phm": false,
        "shared_phm_rule": true,
        "stochastic_depth": 0.0,
        "use_gating": config.use_gating,
    }))
}

/// The same with hypercomplex projections.
fn compacter(config: &CompacterConfig, entries: &[&TargetedModule], sites: &Sites) -> Result<Value> {
    check_epsilon("COMPACTER", config.ln_before || config.ln_after, config.layer_norm_eps)?;
    let plain = BottleneckConfig {
        reduction_factor: config.reduction_factor,
        non_linearity: config.non_linearity,
        mh_adapter: config.mh_adapter,
        output_adapter: config.output_adapter,
        cross_adapter: config.cross_adapter,
        original_ln_before: config.original_ln_before,
        ln_before: config.ln_before,
        ln_after: config.ln_after,
        scaling: config.scaling,
        leave_out: config.leave_out.clone(),
        dropout: config.dropout,
        ..BottleneckConfig::double_seq_bn()
    };
    let mut fields = bottleneck(&plain, &[], sites)?;
    let dim = entries.first().zip(hidden_size(sites)).map(|(_, dim)| dim).unwrap_or_default();
    let width = (dim as f64 / config.reduction_factor) as usize;
    for (name, value) in [
        ("phm_layer", json!(true)),
        ("phm_dim", json!(config.phm_dim)),
        ("phm_rank", json!(config.phm_rank)),
        ("phm_init_range", json!(config.phm_init_range)),
        ("factorized_phm_W", json!(config.factorized_phm_w)),
        ("shared_phm_rule", json!(config.shared_phm_rule)),
        ("reduction_factor", json!(factor(config.reduction_factor, width, dim))),
    ] {
        if let Some(fields) = fields.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    }
    Ok(fields)
}

/// A factor that AdapterHub makes `width` of `dim` by.
fn factor(ours: f64, width: usize, dim: usize) -> f64 {
    let exact = dim as f64 / width as f64;
    let between = dim as f64 / (width as f64 + 0.5);
    let fits = |factor: &f64| their_width(*factor, dim) == width;
    [ours, exact].into_iter().find(fits).unwrap_or(between)
}

fn check_epsilon(kind: &str, normed: bool, epsilon: f64) -> Result<()> {
    match normed && epsilon != LAYER_NORM_EPS {
        true => {
            let reason = format!("is {epsilon}; AdapterHub's layer norms have {LAYER_NORM_EPS} and no field for it");
            Err(refused(kind, "layer_norm_eps", reason))
        }
        false => Ok(()),
    }
}

/// Of methods of one family, AdapterHub lets one act at a place.
fn check_apart(members: &[Value], sites: &Sites) -> Result<()> {
    const PLACES: [&str; 6] =
        ["mh_adapter", "output_adapter", "cross_adapter", "selfattn_lora", "intermediate_lora", "output_lora"];
    let on = |member: &Value, place: &str| member.get(place).and_then(Value::as_bool).unwrap_or(false);
    let left = |member: &Value, layer: usize| {
        let numbers = member.get("leave_out").and_then(Value::as_array);
        numbers.is_some_and(|numbers| numbers.iter().any(|number| number.as_u64() == Some(layer as u64)))
    };
    for (number, one) in members.iter().enumerate() {
        for other in members.iter().skip(number + 1) {
            let layer = (0..all_layers(sites)).find(|layer| !left(one, *layer) && !left(other, *layer));
            let place = PLACES.iter().find(|place| on(one, place) && on(other, place));
            if let (Some(layer), Some(place)) = (layer, place) {
                let reason = format!("has two methods with {place} in layer {layer}, where AdapterHub allows one");
                return Err(unsupported("configs", reason));
            }
        }
    }
    Ok(())
}

/// A field of ours whose value AdapterHub's files cannot hold.
pub(super) fn refused(kind: &str, field: &'static str, reason: impl Into<String>) -> Error {
    Error::InvalidConfig { kind: kind.to_owned(), field, reason: reason.into() }
}
