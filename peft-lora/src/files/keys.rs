//! Keys and values of `peft`'s files, converted to ours and back.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use peft_core::{Error, PEFT_PREFIX, ParamSpec, Plan, Result, TargetedModule};

use super::base::BaseModel;
use crate::bias::{BASE_BIAS_DELTA, BIAS_DELTA};
use crate::dora::{MAGNITUDE_DELTA, row_norms};
use crate::full::DeltaNames;

/// One weight: our key and `peft`'s.
struct Key {
    ours: String,
    theirs: String,
    dims: Vec<usize>,
    /// Their value minus ours.
    offset: Option<Tensor>,
}

/// The weights of a plan.
pub(super) struct Keys(Vec<Key>);

impl Keys {
    /// The weights of `plan` on the backbone `base`.
    pub(super) fn of(plan: &Plan, base: &BaseModel<'_>) -> Result<Self> {
        let targets = plan.targets().iter();
        let weights = targets.flat_map(|target| target.params.iter().map(move |param| Key::new(target, param, base)));
        weights.collect::<Result<_>>().map(Self)
    }

    /// Whether the file's tensor `name` is one of them.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|key| key.theirs == name)
    }

    /// Their tensors as ours. Every key must be used, and none may be missing.
    pub(super) fn read(self, mut theirs: BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>> {
        let mut ours = BTreeMap::new();
        let mut missing = Vec::new();
        for key in self.0 {
            let Some(tensor) = theirs.remove(&key.theirs) else {
                missing.push(key.theirs);
                continue;
            };
            if tensor.dims() != key.dims {
                let found = tensor.dims().to_vec();
                return Err(Error::ShapeMismatch { key: key.theirs, expected: key.dims, found });
            }
            let tensor = tensor.to_dtype(DType::F32)?;
            let tensor = match key.offset {
                Some(offset) => (tensor - offset)?,
                None => tensor,
            };
            ours.insert(key.ours, tensor);
        }
        if !missing.is_empty() {
            return Err(Error::MissingKeys { keys: missing });
        }
        if !theirs.is_empty() {
            return Err(Error::UnknownKeys { keys: theirs.into_keys().collect() });
        }
        Ok(ours)
    }

    /// Our tensors as theirs.
    pub(super) fn write(self, ours: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>> {
        let one = |key: Key| {
            let tensor = ours.get(&key.ours).ok_or_else(|| Error::MissingKeys { keys: vec![key.ours.clone()] })?;
            let tensor = match key.offset {
                Some(offset) => (tensor + offset)?,
                None => tensor.clone(),
            };
            Ok((key.theirs, tensor))
        };
        self.0.into_iter().map(one).collect()
    }
}

impl Key {
    fn new(target: &TargetedModule, param: &ParamSpec, base: &BaseModel<'_>) -> Result<Self> {
        let site = &target.site.path;
        let own = |leaf: &str| -> Result<Tensor> { Ok(base.tensor(&format!("{site}.{leaf}"))?.to_dtype(DType::F32)?) };
        let name = param.name.as_ref();
        let saved = [DeltaNames::MODULES_TO_SAVE, DeltaNames::LN_TUNING];
        let weight = saved.iter().find(|names| names.weight == name).map(|names| names.saved_weight);
        let bias = saved.iter().find(|names| names.bias == name).map(|names| names.saved_bias);
        let (leaf, offset) = match (name, weight, bias) {
            (MAGNITUDE_DELTA, ..) => ("lora_magnitude_vector", Some(row_norms(&own("weight")?)?)),
            (BASE_BIAS_DELTA, ..) => ("base_layer.bias", Some(own("bias")?)),
            (BIAS_DELTA, ..) => ("bias", Some(own("bias")?)),
            (_, Some(saved), _) => (saved, Some(own("weight")?)),
            (_, _, Some(saved)) => (saved, Some(own("bias")?)),
            (other, ..) => (other, None),
        };
        let ours = format!("{PEFT_PREFIX}.{}", target.key(param));
        Ok(Self { ours, theirs: format!("{PEFT_PREFIX}.{site}.{leaf}"), dims: param.dims.clone(), offset })
    }
}
