//! The weights of a file, each taken once.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use peft_core::{Adapter, Entry, Error, PEFT_PREFIX, ParamSpec, PeftConfig, Plan, Result, Sites};

/// What a model with prediction heads puts before the names of its base model.
const WITH_HEADS: &str = "transformer.";

/// The weights of a file that no method has taken yet.
#[derive(Debug)]
pub(super) struct Tensors {
    /// The adapter's name, which is part of every weight's.
    pub(super) adapter: String,
    left: BTreeMap<String, Tensor>,
}

impl Tensors {
    pub(super) fn new(tensors: impl IntoIterator<Item = (String, Tensor)>, adapter: &str) -> Self {
        let bare = |name: String| name.strip_prefix(WITH_HEADS).map(str::to_owned).unwrap_or(name);
        let left = tensors.into_iter().map(|(name, tensor)| (bare(name), tensor)).collect();
        Self { adapter: adapter.to_owned(), left }
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

    /// Takes one weight that the file may hold under several names: AdapterHub registers some modules twice. All that
    /// are there must be equal.
    pub(super) fn take_any(&mut self, keys: &[String], dims: &[usize]) -> Result<Tensor> {
        let (here, absent): (Vec<_>, Vec<_>) = keys.iter().partition(|key| self.left.contains_key(*key));
        let Some((first, others)) = here.split_first() else {
            return Err(Error::MissingKeys { keys: absent.into_iter().take(1).cloned().collect() });
        };
        let tensor = self.take(first, dims)?;
        for other in others {
            if !same(&tensor, &self.take(other, dims)?)? {
                return Err(Error::Mismatch(format!("{first} and {other} are one weight, but their values differ")));
            }
        }
        Ok(tensor)
    }

    /// `methods` with all their weights on `sites`: `source` says how the file names (and shapes) a weight.
    pub(super) fn adapter(
        &mut self,
        method: impl PeftConfig + 'static,
        sites: &Sites,
        source: impl Fn(&Entry, &ParamSpec) -> Result<Source>,
    ) -> Result<Adapter> {
        let methods: Vec<Box<dyn PeftConfig>> = vec![Box::new(method)];
        let plan = Plan::resolve(sites, &methods)?;
        let (mut weights, mut missing) = (BTreeMap::new(), Vec::new());
        for entry in plan.entries() {
            for param in &entry.params {
                let ours = name(entry, param);
                if weights.contains_key(&ours) {
                    continue;
                }
                let Source { keys, dims } = source(entry, param)?;
                let tensor = match self.take_any(&keys, &dims) {
                    Err(Error::MissingKeys { keys }) => {
                        missing.extend(keys);
                        continue;
                    }
                    taken => taken?,
                };
                weights.insert(ours, tensor.reshape(param.dims.as_slice())?);
            }
        }
        match missing.is_empty() {
            true => Ok(Adapter { methods, weights }),
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

/// How a file names and shapes a weight.
#[derive(Debug)]
pub(super) struct Source {
    /// Its names, the first one preferred.
    pub(super) keys: Vec<String>,
    /// Its shape, with as many elements as ours.
    pub(super) dims: Vec<usize>,
}

/// Our name of a weight ([`Adapter::weights`]).
pub(super) fn name(entry: &Entry, param: &ParamSpec) -> String {
    format!("{PEFT_PREFIX}.{}", entry.key(param))
}

fn same(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.flatten_all()?.to_vec1::<f32>()? == b.flatten_all()?.to_vec1::<f32>()?)
}
