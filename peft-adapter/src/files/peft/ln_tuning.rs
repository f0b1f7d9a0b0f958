//! Layer-norm tuning in `peft` folders, which hold the whole weight of each norm: `<norm>.ln_tuning_layers.weight` is `w + δ`.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use peft_core::{AdapterCheckpoint, Error, PEFT_PREFIX, PeftConfig, Plan, Result, TargetModules, TargetedModule};
use peft_lora::files::{BaseModel, PeftFolder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::table::Fields;
use crate::LnTuningConfig;

/// What is read of `adapter_config.json`.
#[derive(Deserialize)]
struct LnTuning {
    target_modules: Option<TargetModules>,
    exclude_modules: Option<TargetModules>,
}

/// The weight of one norm: our key, `peft`'s, and the backbone's parameter.
struct Key {
    ours: String,
    theirs: String,
    base: String,
}

impl Key {
    fn of(target: &TargetedModule) -> Option<Self> {
        let path = &target.site.path;
        Some(Self {
            ours: format!("{PEFT_PREFIX}.{}", target.key(target.params.first()?)),
            theirs: format!("{PEFT_PREFIX}.{path}.ln_tuning_layers.weight"),
            base: format!("{path}.weight"),
        })
    }
}

pub(super) fn read(folder: &PeftFolder, _: &Fields, base: &BaseModel<'_>) -> Result<AdapterCheckpoint> {
    let LnTuning { target_modules, exclude_modules } = folder.parse()?;
    if exclude_modules.is_some() {
        return Err(folder.unsupported("exclude_modules is set, which is not supported for LN_TUNING"));
    }
    let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(LnTuningConfig { target_modules })];
    let plan = Plan::resolve(base.sites, &methods)?;
    let keys: Vec<Key> = plan.targets().iter().filter_map(Key::of).collect();
    let tensors = folder.wanted(|name| keys.iter().any(|key| key.theirs == name), base)?;
    let one = |Key { ours, theirs, base: name }: Key| {
        let theirs_or_missing = || Error::MissingKeys { keys: vec![theirs.clone()] };
        let (found, own) = (tensors.get(&theirs).ok_or_else(theirs_or_missing)?, base.tensor(&name)?);
        if found.dims() != own.dims() {
            let (expected, found) = (own.dims().to_vec(), found.dims().to_vec());
            return Err(Error::ShapeMismatch { key: theirs, expected, found });
        }
        Ok((ours, (found.to_dtype(DType::F32)? - own.to_dtype(DType::F32)?)?))
    };
    Ok(AdapterCheckpoint { methods, weights: keys.into_iter().map(one).collect::<Result<_>>()? })
}

/// The fields of the configuration, and the weights by name.
pub(super) fn write(adapter: &AdapterCheckpoint, base: &BaseModel<'_>) -> Result<(Value, BTreeMap<String, Tensor>)> {
    let (plan, weights) = adapter.build(base.sites, &Device::Cpu)?;
    let paths: Vec<&str> = plan.targets().iter().map(|target| target.site.path.as_str()).collect();
    let one = |(number, target): (usize, &TargetedModule)| {
        let [delta] = peft_core::take(weights.of_target(number))?;
        let key = Key::of(target).ok_or_else(|| Error::Mismatch(format!("no weight at {}", target.site.path)))?;
        Ok((key.theirs, (base.tensor(&key.base)?.to_dtype(DType::F32)? + delta)?))
    };
    let tensors = plan.targets().iter().enumerate().map(one).collect::<Result<_>>()?;
    Ok((json!({"exclude_modules": null, "target_modules": paths}), tensors))
}
