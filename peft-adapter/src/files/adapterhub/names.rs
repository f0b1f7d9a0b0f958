//! How AdapterHub names and shapes the weights of bottlenecks, Compacter, LoRA and IA3.

use candle_core::{D, Tensor};
use peft_core::{Error, PEFT_PREFIX, ParamSpec, Plan, Result, TargetedModule};
use peft_lora::files::BaseModel;

/// What the names of an adapter's weights depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a> {
    /// The adapter's name.
    pub(super) adapter: &'a str,
    /// The backbone, whose tensors only DoRA needs.
    pub(super) base: &'a BaseModel<'a>,
}

/// One weight as the file holds it.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its names. There may be several, because AdapterHub registers some modules twice.
    pub(super) keys: Vec<String>,
    /// Its shape, with as many elements as ours.
    pub(super) dims: Vec<usize>,
    /// Their value minus ours.
    pub(super) offset: Option<Tensor>,
}

impl Keys<'_> {
    /// How the file holds the weight `param`.
    ///
    /// # Errors
    /// If AdapterHub has no such weight, or the backbone's parameters are needed and missing.
    pub(super) fn entry(self, target: &TargetedModule, param: &ParamSpec) -> Result<Entry> {
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
        Ok(Entry { keys: vec![key], dims, offset })
    }

    /// A weight of an adapter, by its name without `adapter.`.
    fn bottleneck(self, weight: &str, target: &TargetedModule, param: &ParamSpec) -> Result<Entry> {
        let entry = |keys| Entry { keys, dims: param.dims.clone(), offset: None };
        let Some((module, part)) = weight.split_once('.') else {
            return Ok(entry(vec![format!("shared_parameters.{}.{weight}", self.adapter)]));
        };
        // The layer norm before the down projection is registered twice: in one sequence with it, and alone.
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
        Ok(entry(modules.iter().map(key).collect()))
    }

    /// `‖W‖` of each row of a linear map's weight, `[d_out, 1]`.
    fn row_norms(self, target: &TargetedModule) -> Result<Tensor> {
        let weight = self.base.tensor(&format!("{}.weight", target.site.path))?;
        Ok(weight.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
    }
}

impl Entry {
    /// `ours` as the file holds it: one tensor, under each of its names.
    pub(super) fn write(self, ours: &Tensor) -> Result<Vec<(String, Tensor)>> {
        let tensor = ours.reshape(self.dims)?;
        let tensor = match self.offset {
            Some(offset) => (tensor + offset)?,
            None => tensor,
        };
        Ok(self.keys.into_iter().map(|key| (key, tensor.clone())).collect())
    }
}

/// Every weight of `plan`, with the module that it belongs to.
pub(super) fn weights_of(plan: &Plan) -> impl Iterator<Item = (&TargetedModule, &ParamSpec)> {
    plan.targets().iter().flat_map(|target| target.params.iter().map(move |param| (target, param)))
}

/// Our name of a weight ([`peft_core::AdapterCheckpoint::weights`]).
pub(super) fn name(target: &TargetedModule, param: &ParamSpec) -> String {
    format!("{PEFT_PREFIX}.{}", target.key(param))
}

fn nameless(target: &TargetedModule, param: &ParamSpec) -> Error {
    Error::Mismatch(format!("AdapterHub's files have no name for {}", target.key(param)))
}
