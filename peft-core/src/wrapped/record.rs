//! The builder that notes what a model asks for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

/// One weight that a model asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) weight: Tensor,
    /// The initial value that a new one would have. It tells a table of embeddings from a linear map.
    pub(super) init: Init,
}

/// All that a model asked for.
#[derive(Debug, Default)]
pub(super) struct Recording {
    /// Its weights, in the order in which it asked. A weight that is used twice is there twice.
    pub(super) weights: Vec<Asked>,
    /// The answers to the question whether there is a weight.
    pub(super) has: BTreeMap<String, bool>,
}

/// Builds a model from `vb`, and notes what it asks for.
pub(super) fn record(
    vb: VarBuilder<'_>,
    build: impl FnOnce(VarBuilder<'_>) -> candle_core::Result<()>,
) -> candle_core::Result<Recording> {
    let (dtype, device) = (vb.dtype(), vb.device().clone());
    let recording = Arc::new(Mutex::default());
    let recorder = Recorder { inner: vb, recording: recording.clone() };
    build(VarBuilder::from_backend(Box::new(recorder), dtype, device))?;
    let recording = std::mem::take(&mut *lock(&recording));
    Ok(recording)
}

/// Hands on what `inner` gives.
struct Recorder<'a> {
    inner: VarBuilder<'a>,
    recording: Arc<Mutex<Recording>>,
}

impl Recorder<'_> {
    /// Frozen from here on, even if it was a variable.
    fn note(&self, name: &str, weight: Tensor, init: Init) -> Tensor {
        let weight = weight.detach();
        let asked = Asked { name: name.to_owned(), weight: weight.clone(), init };
        lock(&self.recording).weights.push(asked);
        weight
    }
}

impl SimpleBackend for Recorder<'_> {
    fn get(&self, s: Shape, name: &str, h: Init, dtype: DType, dev: &Device) -> candle_core::Result<Tensor> {
        let weight = self.inner.get_with_hints_dtype(s, name, h, dtype)?;
        Ok(self.note(name, weight.to_device(dev)?, h))
    }

    fn get_unchecked(&self, name: &str, dtype: DType, dev: &Device) -> candle_core::Result<Tensor> {
        let weight = self.inner.get_unchecked_dtype(name, dtype)?;
        Ok(self.note(name, weight.to_device(dev)?, Init::default()))
    }

    fn contains_tensor(&self, name: &str) -> bool {
        let has = self.inner.contains_tensor(name);
        lock(&self.recording).has.insert(name.to_owned(), has);
        has
    }
}

/// Ignores poisoning: a thread that panics holds the lock only around whole insertions, so the lists stay valid.
fn lock(mutex: &Mutex<Recording>) -> MutexGuard<'_, Recording> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
