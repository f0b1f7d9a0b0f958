//! Prefix tuning in AdapterHub's files, where one weight holds the prefixes of all attentions of one kind.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use candle_core::Tensor;
use peft_core::{AdapterCheckpoint, Error, ParamSpec, PeftConfig, Plan, Result, Sites, TargetedModule, nonzero};
use serde::Deserialize;
use serde_json::{Value, json};

use super::architecture::unsupported;
use super::keys::name;
use super::tensors::Tensors;
use crate::prefix::Location;
use crate::{NonLinearity, PrefixConfig};

/// The fields of AdapterHub's `PrefixTuningConfig` that say what is computed.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct PrefixFields {
    encoder_prefix: bool,
    cross_prefix: bool,
    leave_out: Vec<usize>,
    flat: bool,
    prefix_length: NonZeroUsize,
    bottleneck_size: NonZeroUsize,
    non_linearity: String,
    dropout: f64,
    use_gating: bool,
    shared_gating: bool,
}

impl Default for PrefixFields {
    fn default() -> Self {
        Self {
            encoder_prefix: true,
            cross_prefix: true,
            leave_out: Vec::new(),
            flat: false,
            prefix_length: nonzero(30),
            bottleneck_size: nonzero(512),
            non_linearity: "tanh".to_owned(),
            dropout: 0.,
            use_gating: false,
            shared_gating: true,
        }
    }
}

impl PrefixFields {
    fn config(self) -> Result<PrefixConfig> {
        if !self.leave_out.is_empty() {
            return Err(unsupported(
                "leave_out",
                "names layers without a prefix; AdapterHub loses all relative position biases behind such a layer, which \
                 is not repeated here",
            ));
        }
        let function = Value::from(self.non_linearity.to_lowercase());
        Ok(PrefixConfig {
            prefix_length: self.prefix_length,
            bottleneck_size: self.bottleneck_size,
            flat: self.flat,
            non_linearity: NonLinearity::deserialize(function)
                .map_err(|e| unsupported("non_linearity", format!("is {:?}: {e}", self.non_linearity)))?,
            encoder_prefix: self.encoder_prefix,
            cross_prefix: self.cross_prefix,
            use_gating: self.use_gating,
            shared_gating: self.shared_gating,
            dropout: self.dropout,
        })
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

/// All names of the weight `key`: each attention also registers, as its own, the pool that they share. We write the first.
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

/// Whether `param` is a weight of a prefix.
pub(super) fn is_part(target: &TargetedModule, param: &ParamSpec) -> bool {
    Location::of(&target.site).is_some() && param.name.starts_with("prefix")
}

/// One weight of ours as a part of one of theirs.
#[derive(Debug)]
struct Part {
    ours: String,
    dims: Vec<usize>,
    key: String,
    /// The axis along which the parts stand side by side.
    axis: usize,
    number: usize,
    of: usize,
    /// Whether the file holds the whole as a vector.
    flat: bool,
}

impl Part {
    fn whole_dims(&self) -> Vec<usize> {
        let scaled = |(axis, &dim): (usize, &usize)| if axis == self.axis { dim * self.of } else { dim };
        self.dims.iter().enumerate().map(scaled).collect()
    }

    fn file_dims(&self) -> Vec<usize> {
        if self.flat { vec![self.whole_dims().iter().product()] } else { self.whole_dims() }
    }

    fn of_whole(&self, whole: &Tensor) -> Result<Tensor> {
        let size = self.dims.get(self.axis).copied().unwrap_or(1);
        Ok(whole.reshape(self.whole_dims())?.narrow(self.axis, self.number * size, size)?.contiguous()?)
    }
}

/// The weights of all prefixes of `plan`.
fn parts(plan: &Plan, adapter: &str) -> Vec<Part> {
    let mut attentions: BTreeMap<Location, usize> = BTreeMap::new();
    let mut numbered = Vec::new();
    for target in plan.targets() {
        let has_one = target.params.iter().any(|param| is_part(target, param));
        if let Some(location) = Location::of(&target.site).filter(|_| has_one) {
            let count = attentions.entry(location).or_default();
            numbered.push((target, location, *count));
            *count += 1;
        }
    }
    let of_entry = |(target, location, number): (&TargetedModule, Location, usize)| -> Vec<Part> {
        let of = attentions.get(&location).copied().unwrap_or(1);
        let params = target.params.iter().filter(|param| is_part(target, param));
        params.map(|param| part(target, param, location, (number, of), adapter)).collect()
    };
    numbered.into_iter().flat_map(of_entry).collect()
}

/// The weight `param` of the attention `number` of `of`.
fn part(
    target: &TargetedModule,
    param: &ParamSpec,
    location: Location,
    (number, of): (usize, usize),
    adapter: &str,
) -> Part {
    let group = format!("prefix_tuning.prefix_tunings.{adapter}.{}", location.name());
    let gate = format!("{}.prefix_tuning.prefix_gates.{adapter}", target.site.path);
    let (module, weight) = param.name.rsplit_once('.').unwrap_or(("", &param.name));
    let whole = |key: String| (key, 0, (0, 1));
    let (key, axis, (number, of)) = match module.rsplit('.').next() {
        Some("wte") => whole(format!("{group}.wte.{weight}")),
        Some("down") => whole(format!("{group}.control_trans.0.{weight}")),
        Some("gate") => whole(format!("{gate}.{weight}")),
        Some("up") => (format!("{group}.control_trans.2.{weight}"), 0, (number, of)),
        _ => (format!("{group}.control_trans"), 1, (number, of)),
    };
    Part { ours: name(target, param), dims: param.dims.clone(), key, axis, number, of, flat: axis == 1 }
}
