//! Prefix tuning in AdapterHub's files, where one weight holds the prefixes of all attentions of one kind.

use std::collections::BTreeMap;

use candle_core::Tensor;
use peft_core::{AdapterCheckpoint, Error, PeftConfig, Plan, Result, Sites};
use serde::Deserialize;
use serde_json::{Value, json};
use smart_default::SmartDefault;

use super::fields::{non_linearity, unsupported};
use super::prefix_parts::{Part, parts};
use super::tensors::Tensors;
use crate::PrefixConfig;
use crate::prefix::Location;

/// The fields of AdapterHub's `PrefixTuningConfig` that say what is computed.
#[derive(Debug, Deserialize, SmartDefault)]
#[serde(default)]
pub(super) struct PrefixFields {
    leave_out: Vec<usize>,
    #[default("tanh")]
    non_linearity: String,
    /// The fields that have the same names, values and defaults here.
    #[serde(flatten)]
    same: PrefixConfig,
}

impl PrefixFields {
    fn config(self) -> Result<PrefixConfig> {
        if !self.leave_out.is_empty() {
            return Err(unsupported(
                "leave_out",
                "names layers without a prefix; AdapterHub loses all relative position biases after such a layer, which is \
                 not supported",
            ));
        }
        Ok(PrefixConfig { non_linearity: non_linearity(&self.non_linearity)?, ..self.same })
    }
}

/// The prefixes of these fields, with their weights.
pub(super) fn read(fields: PrefixFields, tensors: &mut Tensors<'_>, sites: &Sites) -> Result<AdapterCheckpoint> {
    let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(fields.config()?)];
    let plan = Plan::resolve(sites, &methods)?;
    let (mut whole, mut weights, mut missing) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for part in parts(&plan, tensors.keys.adapter) {
        if !whole.contains_key(&part.key) {
            match tensors.take_any(&names(&part.key, sites), &part.file_dims()) {
                Ok(tensor) => drop(whole.insert(part.key.clone(), tensor)),
                Err(Error::MissingKeys { keys }) => missing.extend(keys),
                Err(error) => return Err(error),
            }
        }
        if let Some(tensor) = whole.get(&part.key) {
            weights.insert(part.ours.clone(), part.of_whole(tensor)?);
        }
    }
    missing.dedup();
    match missing.is_empty() {
        true => Ok(AdapterCheckpoint { methods, weights }),
        false => Err(Error::MissingKeys { keys: missing }),
    }
}

/// All names of the weight `key`. Each attention registers the shared pool once more as its own; we write `key` only.
fn names(key: &str, sites: &Sites) -> Vec<String> {
    let in_pool = key.strip_prefix("prefix_tuning.");
    let attentions = sites.iter().filter(|site| Location::of(site).is_some());
    let copies = attentions.filter_map(|site| Some(format!("{}.prefix_tuning.pool.{}", site.path, in_pool?)));
    std::iter::once(key.to_owned()).chain(copies).collect()
}

/// The weights of all prefixes of `plan` by their names in the file.
pub(super) fn write(plan: &Plan, ours: &BTreeMap<String, Tensor>, adapter: &str) -> Result<BTreeMap<String, Tensor>> {
    let mut pieces: BTreeMap<String, (Part, Vec<Tensor>)> = BTreeMap::new();
    for part in parts(plan, adapter) {
        let tensor = ours.get(&part.ours).ok_or_else(|| Error::MissingKeys { keys: vec![part.ours.clone()] })?;
        let (part, pieces) = pieces.entry(part.key.clone()).or_insert_with(|| (part, Vec::new()));
        if pieces.len() < part.of {
            pieces.push(tensor.clone());
        }
    }
    let whole = |(key, (part, pieces)): (String, (Part, Vec<Tensor>))| {
        Ok((key, Tensor::cat(&pieces, part.axis)?.reshape(part.file_dims())?))
    };
    pieces.into_iter().map(whole).collect()
}

/// AdapterHub's fields of `config`, all of them.
pub(super) fn describe(config: &PrefixConfig) -> Value {
    json!({
        "architecture": "prefix_tuning",
        "bottleneck_size": config.bottleneck_size,
        "cross_prefix": config.cross_prefix,
        "dropout": config.dropout,
        "encoder_prefix": config.encoder_prefix,
        "flat": config.flat,
        "init_weights_seed": null,
        "leave_out": [],
        "non_linearity": config.non_linearity,
        "prefix_length": config.prefix_length,
        "shared_gating": config.shared_gating,
        "use_gating": config.use_gating,
    })
}
