//! The weights of a file, each taken once.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use peft_core::{AdapterCheckpoint, Error, PeftConfig, Plan, Result, Sites};

use super::names::{Keys, name, weights_of};

/// The prefix that a model with prediction heads gives to the names of its base model.
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

    /// `methods` with all their weights on `sites`, which the file names as [`Keys`] says.
    pub(super) fn adapter(&mut self, methods: Vec<Box<dyn PeftConfig>>, sites: &Sites) -> Result<AdapterCheckpoint> {
        let plan = Plan::resolve(sites, &methods)?;
        let (mut weights, mut missing) = (BTreeMap::new(), Vec::new());
        for (target, param) in weights_of(&plan) {
            let ours = name(target, param);
            if weights.contains_key(&ours) {
                continue;
            }
            let theirs = self.keys.entry(target, param)?;
            let tensor = match self.take_any(&theirs.keys, &theirs.dims) {
                Err(Error::MissingKeys { keys }) => {
                    missing.extend(keys);
                    continue;
                }
                taken => taken?,
            };
            let tensor = match theirs.offset {
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

    /// Refuses weights that no method took.
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
