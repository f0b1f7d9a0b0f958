//! Trainable variables by name, with seeded initial values.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use super::entry::Entry;
use super::initial::initial;
use crate::rng::{Stream, stream_of};
use crate::{Error, Result};

/// The largest number of elements of a variable: 16 GiB of `f32`.
const MOST_ELEMENTS: usize = 1 << 32;

/// Refuses the weight `name` if its shape is so large that making it would exhaust memory.
///
/// # Errors
/// [`Error::Mismatch`] with the name and the shape.
pub fn check_elements(name: &str, shape: &[usize]) -> Result<()> {
    let elements = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    match elements.is_some_and(|elements| elements <= MOST_ELEMENTS) {
        true => Ok(()),
        false => Err(Error::Mismatch(format!("{name}: a weight of shape {shape:?} is too large; give smaller sizes"))),
    }
}

/// A map of variables that hands out [`VarBuilder`]s.
///
/// It differs from candle's `VarMap` in four ways:
///
/// - Initial values depend only on the seed and on the variable's *name*, not on the order of creation.
/// - The variables are sorted by name.
/// - Values can be given in advance. Then every key must be used and none may be missing ([`ParamStore::from_tensors`],
///   [`ParamStore::check_all_used`]).
/// - Some of the given values may be frozen: they are saved and loaded with the variables, and do not train
///   ([`ParamStore::with_frozen`]).
///
/// ```
/// use candle_core::Device;
/// use peft_core::{KAIMING_UNIFORM, ParamStore};
///
/// let store = ParamStore::new(42, &Device::Cpu);
/// let a = store.var_builder().pp("q").get_with_hints((4, 8), "lora_A.weight", KAIMING_UNIFORM)?;
/// assert_eq!(store.vars()[0].0, "q.lora_A.weight");
/// assert!(a.abs()?.max_all()?.to_scalar::<f32>()? <= 8f32.powf(-0.5));
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ParamStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    seed: u64,
    device: Device,
    given: Option<BTreeMap<String, Tensor>>,
    frozen: BTreeMap<String, Tensor>,
    entries: Mutex<BTreeMap<String, Entry>>,
}

impl ParamStore {
    /// An empty store. Its variables start at seeded random values.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self::build(seed, device, None, BTreeMap::new())
    }

    /// A store whose variables start at the values `given`. It is an error to ask for another name or shape.
    pub fn from_tensors(given: BTreeMap<String, Tensor>, device: &Device) -> Self {
        Self::build(0, device, Some(given), BTreeMap::new())
    }

    /// Like [`from_tensors`](Self::from_tensors), with further tensors that do not train. They are asked for, saved and loaded as
    /// the variables are, but they receive no gradient, and their values stay.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use peft_core::ParamStore;
    ///
    /// let one = |name: &str| Ok::<_, candle_core::Error>((name.to_owned(), Tensor::ones(2, DType::F32, &Device::Cpu)?));
    /// let store = ParamStore::with_frozen([one("new")?].into(), [one("old")?].into(), &Device::Cpu);
    /// let sum = (store.var_builder().get(2, "new")? + store.var_builder().get(2, "old")?)?;
    /// assert_eq!(store.vars().len(), 1);
    /// assert_eq!(store.tensors().len(), 2);
    /// assert!(sum.backward()?.get(store.vars()[0].1.as_tensor()).is_some());
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn with_frozen(given: BTreeMap<String, Tensor>, frozen: BTreeMap<String, Tensor>, device: &Device) -> Self {
        Self::build(0, device, Some(given), frozen)
    }

    fn build(
        seed: u64,
        device: &Device,
        given: Option<BTreeMap<String, Tensor>>,
        frozen: BTreeMap<String, Tensor>,
    ) -> Self {
        Self { inner: Arc::new(Inner { seed, device: device.clone(), given, frozen, entries: Mutex::default() }) }
    }

    /// The device of the variables.
    pub fn device(&self) -> &Device {
        &self.inner.device
    }

    /// A builder whose `get` makes variables of this store, in f32.
    pub fn var_builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, self.inner.device.clone())
    }

    /// The variables, sorted by name.
    pub fn vars(&self) -> Vec<(String, Var)> {
        self.lock().iter().filter_map(|(name, entry)| Some((name.clone(), entry.variable()?.clone()))).collect()
    }

    /// The current values by name, the frozen ones included, detached from the gradient graph.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.lock().iter().map(|(name, entry)| (name.clone(), entry.tensor().detach())).collect()
    }

    /// The number of elements of all variables.
    pub fn num_parameters(&self) -> usize {
        self.lock().values().filter_map(Entry::variable).map(|var| var.elem_count()).sum()
    }

    /// Checks that every given tensor was used. Call it after the model is built.
    ///
    /// # Errors
    /// [`Error::UnknownKeys`] with those that were not.
    pub fn check_all_used(&self) -> Result<()> {
        let entries = self.lock();
        let given = self.inner.given.as_ref().map(|given| keys_not_in(given, &entries)).unwrap_or_default();
        let unused = [given, keys_not_in(&self.inner.frozen, &entries)].concat();
        if unused.is_empty() { Ok(()) } else { Err(Error::UnknownKeys { keys: unused }) }
    }

    /// Overwrites the values of all variables. Frozen tensors must be there too, with the values that they have.
    ///
    /// # Errors
    /// [`Error::MissingKeys`], [`Error::UnknownKeys`] or [`Error::ShapeMismatch`]; [`Error::Mismatch`] if the value of a frozen tensor
    /// is another one. In that case nothing is written.
    pub fn load(&self, values: &BTreeMap<String, Tensor>) -> Result<()> {
        let entries = self.lock();
        let missing = keys_not_in(&*entries, values);
        if !missing.is_empty() {
            return Err(Error::MissingKeys { keys: missing });
        }
        let unknown = keys_not_in(values, &*entries);
        if !unknown.is_empty() {
            return Err(Error::UnknownKeys { keys: unknown });
        }
        let pairs = || entries.iter().filter_map(|(n, entry)| values.get(n).map(|v| (n, entry, v)));
        for (name, entry, value) in pairs() {
            check_shape(name, entry.tensor().dims(), value)?;
            entry.require_loadable(name, value)?;
        }
        for (_, entry, value) in pairs() {
            entry.load(value)?;
        }
        Ok(())
    }

    /// Ignores poisoning: a thread that panics holds the lock only around whole insertions, so the map stays valid.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The variable called `name`, or the frozen tensor. On first use a variable is created with a seeded random value.
    ///
    /// # Errors
    /// If its shape is not `shape`, or it is not among the given values.
    pub fn get_or_init(&self, name: &str, shape: &Shape, init: Init) -> Result<Tensor> {
        let stream = Stream::new(self.inner.seed, stream_of(name));
        self.get_or_insert_with(name, shape, || initial(stream, shape, init, &self.inner.device))
    }

    /// The variable called `name`, or the frozen tensor. On first use a variable is created from `value` (such as a pretrained weight),
    /// unless the store was made from given values; then the given value is used.
    ///
    /// # Errors
    /// If its shape is not `shape`, or it is not among the given values; or if `value` fails.
    pub fn get_or_insert_with(
        &self,
        name: &str,
        shape: &Shape,
        value: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Tensor> {
        if let Some(entry) = self.lock().get(name) {
            check_shape(name, shape.dims(), entry.tensor())?;
            return Ok(entry.tensor().clone());
        }
        check_elements(name, shape.dims())?;
        let frozen = self.inner.frozen.get(name);
        let value = match (frozen, &self.inner.given) {
            (Some(frozen), _) => frozen.detach(),
            (None, None) => value()?,
            (None, Some(given)) => {
                let missing = || Error::MissingKeys { keys: vec![name.to_owned()] };
                given.get(name).ok_or_else(missing)?.clone()
            }
        };
        check_shape(name, shape.dims(), &value)?;
        let value = value.to_dtype(DType::F32)?.to_device(&self.inner.device)?;
        let entry = match frozen {
            Some(_) => Entry::Frozen(value),
            None => Entry::Variable(Var::from_tensor(&value)?),
        };
        let tensor = entry.tensor().clone();
        self.lock().insert(name.to_owned(), entry);
        Ok(tensor)
    }
}

/// The keys of `map` that `other` lacks.
fn keys_not_in<A, B>(map: &BTreeMap<String, A>, other: &BTreeMap<String, B>) -> Vec<String> {
    map.keys().filter(|name| !other.contains_key(*name)).cloned().collect()
}

fn check_shape(name: &str, expected: &[usize], value: &Tensor) -> Result<()> {
    if value.dims() == expected {
        return Ok(());
    }
    Err(Error::ShapeMismatch { key: name.to_owned(), expected: expected.to_vec(), found: value.dims().to_vec() })
}

impl SimpleBackend for ParamStore {
    fn get(&self, s: Shape, name: &str, h: Init, dtype: DType, _dev: &Device) -> candle_core::Result<Tensor> {
        let tensor = self.get_or_init(name, &s, h).map_err(candle_core::Error::wrap)?;
        // Gradients pass through a cast to the variable. Without a cast this is the variable itself.
        tensor.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, _dev: &Device) -> candle_core::Result<Tensor> {
        let found = self.lock().get(name).map(|entry| entry.tensor().clone());
        let found = found.or_else(|| self.inner.frozen.get(name).cloned());
        match found.or_else(|| self.inner.given.as_ref()?.get(name).cloned()) {
            Some(tensor) => tensor.to_dtype(dtype),
            None => candle_core::bail!("no variable {name} in this store"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        match &self.inner.given {
            Some(given) => given.contains_key(name) || self.inner.frozen.contains_key(name),
            None => self.lock().contains_key(name),
        }
    }
}
