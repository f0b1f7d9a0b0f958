//! The weights of a file, each taken once.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use peft_core::{AdapterCheckpoint, Error, ParamSpec, PeftConfig, Plan, Result, Sites, TargetedModule};

use super::keys::{Keys, Source, name};

/// What a model with prediction heads puts before the names of its base model.
const WITH_HEADS: &str = "transformer.";

/// The weights of a file that no method has taken yet.
#[derive(Debug)]
pub(super) struct Tensors<'a> {
    /// How they are named.
    pub(super) keys: Keys<'a>,
    left: BTreeMap<String, Tensor>,
}

impl<'a> Tensors<'a> {
    pub(super) fn new(tensors: BTreeMap<String, Tensor>, keys: Keys<'a>) -> Self {
        let bare = |name: String| name.strip_prefix(WITH_HEADS).map(str::to_owned).unwrap_or(name);
        Self { keys, left: tensors.into_iter().map(|(name, tensor)| (bare(name), tensor)).collect() }
    }

    /// Takes the weight called `key`, of shape `dims`, in f32.
    pub(super) fn take(&mut self, key: &str, dims: &[usize]) -> Result<Tensor> {
        let Some(tensor) = self.left.remove(key) else {
            return Err(Error::MissingKeys { keys: vec![key.to_owned()] });
        };
        if tensor.dims() != dims {
            let (expected, found) = (dims.to_vec(), tensor.dims().to_vec());
            return Err(Error::ShapeMismatch { key: key.to_owned(), expected, found });
        }
        Ok(tensor.to_dtype(DType::F32)?)
    }

    /// Takes one weight that the file may hold under several names. All that are there must be equal.
    pub(super) fn take_any(&mut self, keys: &[String], dims: &[usize]) -> Result<Tensor> {
        let here: Vec<&String> = keys.iter().filter(|key| self.left.contains_key(*key)).collect();
        let Some((first, others)) = here.split_first() else {
            return Err(Error::MissingKeys { keys: keys.first().into_iter().cloned().collect() });
        };
        let tensor = self.take(first, dims)?;
        for other in others {
            if !same(&tensor, &self.take(other, dims)?)? {
                return Err(Error::Mismatch(format!("{first} and {other} are one weight, but their values differ")));
            }
        }
        Ok(tensor)
    }

    /// `method` with all its weights on `sites`, named as [`Keys`] says.
    pub(super) fn adapter(&mut self, method: impl PeftConfig + 'static, sites: &Sites) -> Result<AdapterCheckpoint> {
        let keys = self.keys;
        self.adapter_from(method, sites, |target, param| keys.source(target, param))
    }

    /// `method` with all its weights on `sites`: `source` says how the file holds each of them.
    pub(super) fn adapter_from(
        &mut self,
        method: impl PeftConfig + 'static,
        sites: &Sites,
        source: impl Fn(&TargetedModule, &ParamSpec) -> Result<Source>,
    ) -> Result<AdapterCheckpoint> {
        let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(method)];
        let plan = Plan::resolve(sites, &methods)?;
        let (mut weights, mut missing) = (BTreeMap::new(), Vec::new());
        for (target, param) in plan.targets().iter().flat_map(|e| e.params.iter().map(move |p| (e, p))) {
            let ours = name(target, param);
            if weights.contains_key(&ours) {
                continue;
            }
            let Source { keys, dims, offset } = source(target, param)?;
            let tensor = match self.take_any(&keys, &dims) {
                Err(Error::MissingKeys { keys }) => {
                    missing.extend(keys);
                    continue;
                }
                taken => taken?,
            };
            let tensor = match offset {
                Some(offset) => (tensor - offset)?,
                None => tensor,
            };
            weights.insert(ours, tensor.reshape(param.dims.as_slice())?);
        }
        match missing.is_empty() {
            true => Ok(AdapterCheckpoint { methods, weights }),
            false => Err(Error::MissingKeys { keys: missing }),
        }
    }

    /// After all methods: nothing is left.
    pub(super) fn check_all_taken(self) -> Result<()> {
        match self.left.is_empty() {
            true => Ok(()),
            false => Err(Error::UnknownKeys { keys: self.left.into_keys().collect() }),
        }
    }
}

fn same(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.flatten_all()?.to_vec1::<f32>()? == b.flatten_all()?.to_vec1::<f32>()?)
}
