//! `adapter_config.json`: what it says in addition to the method.

use peft_core::{AdapterCheckpoint, Error, Result, Sites, TargetedModule};
use peft_lora::files::BaseModel;
use serde::Deserialize;
use serde_json::{Value, json};

use super::architecture;
use super::fields::unsupported;
use super::options::AdapterHubOptions;
use super::width::hidden_size;
use crate::leave_out::all_layers;

/// The version of `adapters` whose format is written.
const VERSION: &str = "adapters.1.3.0";

/// What is read of `adapter_config.json`; AdapterHub may write more.
#[derive(Debug, Deserialize)]
pub(super) struct Description {
    /// The method.
    pub(super) config: Value,
    /// The adapter's name, which is part of its weights' names.
    pub(super) name: String,
    /// The width of the model that it belongs to.
    hidden_size: Option<usize>,
    /// The version of the library that wrote it.
    pub(super) version: Option<String>,
}

impl Description {
    /// Refuses an adapter for a hidden state of another width.
    pub(super) fn check_width(&self, sites: &Sites) -> Result<()> {
        match (self.hidden_size, hidden_size(sites)) {
            (Some(theirs), Some(ours)) if theirs != ours => Err(unsupported(
                "hidden_size",
                format!("is {theirs}, but this backbone's is {ours}: the adapter belongs to another model"),
            )),
            _ => Ok(()),
        }
    }
}

/// The text of the configuration of `adapter`.
pub(super) fn text(adapter: &AdapterCheckpoint, base: &BaseModel<'_>, options: &AdapterHubOptions) -> Result<String> {
    let (sites, AdapterHubOptions { name, model_type, model_class }) = (base.sites, options);
    if name.is_empty() || name.contains('.') {
        return Err(unsupported("name", format!("is {name:?}, expected a name without dots")));
    }
    let plan = adapter.plan(sites)?;
    let mut members = Vec::new();
    for (number, method) in adapter.methods.iter().enumerate() {
        let targets: Vec<&TargetedModule> = plan.targets().iter().filter(|target| target.method == number).collect();
        members.push(architecture::describe(method.as_ref(), &targets, sites)?);
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
        "model_name": base.name.unwrap_or_default(),
        "model_type": model_type,
        "name": name,
        "version": VERSION,
    });
    serde_json::to_string_pretty(&whole).map_err(|e| Error::Mismatch(e.to_string()))
}

/// Refuses two methods of one family in one layer, where AdapterHub allows one.
fn check_apart(members: &[Value], sites: &Sites) -> Result<()> {
    const FLAGS: [&str; 6] =
        ["mh_adapter", "output_adapter", "cross_adapter", "selfattn_lora", "intermediate_lora", "output_lora"];
    let on = |member: &Value, flag: &str| member.get(flag).and_then(Value::as_bool).unwrap_or(false);
    let left = |member: &Value, layer: usize| {
        let numbers = member.get("leave_out").and_then(Value::as_array);
        numbers.is_some_and(|numbers| numbers.iter().any(|number| number.as_u64() == Some(layer as u64)))
    };
    for (number, one) in members.iter().enumerate() {
        for other in members.iter().skip(number + 1) {
            let layer = (0..all_layers(sites)).find(|layer| !left(one, *layer) && !left(other, *layer));
            let flag = FLAGS.iter().find(|flag| on(one, flag) && on(other, flag));
            if let (Some(layer), Some(flag)) = (layer, flag) {
                let reason = format!("has two methods with {flag} in layer {layer}, where AdapterHub allows one");
                return Err(unsupported("configs", reason));
            }
        }
    }
    Ok(())
}
