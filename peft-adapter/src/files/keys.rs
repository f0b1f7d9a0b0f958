//! How AdapterHub names and shapes our weights.

use std::collections::BTreeMap;

use candle_core::{D, Tensor};
use peft_core::{Error, PEFT_PREFIX, ParamSpec, Plan, Result, TargetedModule};

use super::prefix;

/// What the names of an adapter's weights depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a> {
    /// The adapter's name.
    pub(super) adapter: &'a str,
    /// The backbone's parameters by name.
    pub(super) base: &'a BTreeMap<String, Tensor>,
}

/// One weight in the file.
#[derive(Debug)]
pub(super) struct Source {
    /// Its names, which mean one weight: AdapterHub registers some modules twice.
    pub(super) keys: Vec<String>,
    /// Its shape, with as many elements as ours.
    pub(super) dims: Vec<usize>,
    /// What their value is more than ours.
    pub(super) offset: Option<Tensor>,
}

impl Keys<'_> {
    /// The weight `param` of one of the methods that this module reads and writes.
    pub(super) fn source(self, target: &TargetedModule, param: &ParamSpec) -> Result<Source> {
        if let Some(weight) = param.name.strip_prefix("adapter.") {
            return self.bottleneck(weight, target, param);
        }
        let (weight, dims, offset) = match (&*param.name, param.dims.as_slice()) {
            ("lora_A.weight", dims) => ("lora_A", dims.to_vec(), None),
            // AdapterHub's IA3 is a LoRA without an A.
            ("lora_B.weight" | "ia3_l", dims) => ("lora_B", dims.to_vec(), None),
            (gate @ ("gate.weight" | "gate.bias"), dims) => (gate, dims.to_vec(), None),
            ("lora_magnitude_vector.delta", [d_out]) => ("m.weight", vec![*d_out, 1], Some(self.row_norms(target)?)),
            _ => return Err(nameless(target, param)),
        };
        let key = format!("{}.loras.{}.{weight}", target.site.path, self.adapter);
        Ok(Source { keys: vec![key], dims, offset })
    }

    /// A weight of an adapter, by its name without `adapter.`.
    fn bottleneck(self, weight: &str, target: &TargetedModule, param: &ParamSpec) -> Result<Source> {
        let source = |keys| Source { keys, dims: param.dims.clone(), offset: None };
        let Some((module, part)) = weight.split_once('.') else {
            return Ok(source(vec![format!("shared_parameters.{}.{weight}", self.adapter)]));
        };
        // A layer norm before is part of the sequence that the down projection ends, and stands beside it too.
        let normed = target.params.iter().any(|param| param.name.starts_with("adapter.ln_before."));
        let modules: &[&str] = match module {
            "down" if normed => &["adapter_down.1"],
            "down" => &["adapter_down.0"],
            "up" => &["adapter_up"],
            "ln_before" => &["adapter_down.0", "adapter_norm_before"],
            "ln_after" => &["adapter_norm_after"],
            "gate" => &["gate"],
            _ => return Err(nameless(target, param)),
        };
        let key = |module: &&str| format!("{}.adapters.{}.{module}.{part}", target.site.path, self.adapter);
        Ok(source(modules.iter().map(key).collect()))
    }

    /// `‖W‖` of each row of a linear map's weight, `[d_out, 1]`.
    fn row_norms(self, target: &TargetedModule) -> Result<Tensor> {
        let name = format!("{}.weight", target.site.path);
        let weight = self.base.get(&name).ok_or(Error::MissingKeys { keys: vec![name] })?;
        Ok(weight.detach().sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
    }

    /// The weights of `plan` in the file.
    pub(super) fn write(self, plan: &Plan, ours: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>> {
        let mut theirs = prefix::write(plan, ours, self.adapter)?;
        let all = plan.targets().iter().flat_map(|e| e.params.iter().map(move |p| (e, p)));
        for (target, param) in all.filter(|(target, param)| !prefix::is_part(target, param)) {
            let name = name(target, param);
            let tensor = ours.get(&name).ok_or(Error::MissingKeys { keys: vec![name] })?;
            let Source { keys, dims, offset } = self.source(target, param)?;
            let tensor = tensor.reshape(dims)?;
            let tensor = match offset {
                Some(offset) => (tensor + offset)?,
                None => tensor,
            };
            theirs.extend(keys.into_iter().map(|key| (key, tensor.clone())));
        }
        Ok(theirs)
    }
}

/// Our name of a weight ([`peft_core::AdapterCheckpoint::weights`]).
pub(super) fn name(target: &TargetedModule, param: &ParamSpec) -> String {
    format!("{PEFT_PREFIX}.{}", target.key(param))
}

fn nameless(target: &TargetedModule, param: &ParamSpec) -> Error {
    Error::Mismatch(format!("AdapterHub's files have no name for {}", target.key(param)))
}
