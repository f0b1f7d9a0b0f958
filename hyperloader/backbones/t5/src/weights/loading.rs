//! Loads weights on several threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Tensor};
use peft_files::MappedTensors;

use super::files::{Room, load, rooms};
use super::source::{Weights, is_linear_map};
use crate::error::Result;

/// What [`Weights::prefetch`] began.
pub struct Loading {
    weights: Weights,
    files: Option<Arc<MappedTensors>>,
    /// What no thread has taken yet; the last one is the next.
    waiting: Mutex<Vec<(String, Room)>>,
    loaded: Mutex<Vec<Result<(String, Tensor)>>>,
}

impl Weights {
    /// Allocates all tensors now and returns a loader. Every thread that calls [`work`](Loading::work) helps to copy; without
    /// this, each parameter is copied by one thread when the model asks for it. `dtype` is the type in which the model will
    /// ask for linear maps: if that is `u8`, they get [eight bits](peft_kernels::quantize) on the way.
    ///
    /// Only weights from a folder are loaded ahead, and only onto the CPU; otherwise the loader has nothing to do.
    pub fn prefetch(self, dtype: DType, device: &Device) -> Loading {
        let files = self.files().filter(|_| device.is_cpu()).map(Arc::clone);
        let int8 = |name: &str| dtype == DType::U8 && is_linear_map(name);
        let waiting =
            files.as_ref().map(|files| rooms(files, |name| self.loads(files, name), int8)).unwrap_or_default();
        Loading { weights: self, files, waiting: Mutex::new(waiting), loaded: Mutex::default() }
    }
}

impl Loading {
    /// Loads one parameter after the other until none is left. Any number of threads may call it at once.
    ///
    /// More threads help because the first touch of a model's memory takes one thread longer than reading its files.
    pub fn work(&self) {
        let Some(files) = &self.files else { return };
        loop {
            let next = held(&self.waiting).pop();
            let Some((name, room)) = next else { return };
            let tensor = load(files, &name, room);
            held(&self.loaded).push(tensor.map(|tensor| (name, tensor)));
        }
    }

    /// Loads what is left, and gives the weights.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) if a file was changed after it was written; an error of candle if it holds a tensor of
    /// a type that candle lacks.
    pub fn finish(self) -> Result<Weights> {
        self.work();
        let Self { mut weights, loaded, .. } = self;
        let loaded = loaded.into_inner().unwrap_or_else(PoisonError::into_inner);
        weights.put(loaded.into_iter().collect::<Result<_>>()?);
        Ok(weights)
    }
}

/// What a lock guards, even if a thread that held it has panicked: no thread leaves it half changed.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
