//! Weights on their way into memory, on as many threads as care to work at it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::Tensor;
use candle_core::safetensors::MmapedSafetensors;

use super::Weights;
use super::files::{Room, load};
use crate::error::{Error, Result};

/// What [`Weights::prefetch`] began.
pub struct Loading {
    weights: Weights,
    files: Option<Arc<MmapedSafetensors>>,
    /// What nobody has taken yet; the last one is the next.
    waiting: Mutex<Vec<(String, Room)>>,
    loaded: Mutex<Vec<candle_core::Result<(String, Tensor)>>>,
}

impl Loading {
    pub(super) fn new(weights: Weights, files: Option<Arc<MmapedSafetensors>>, waiting: Vec<(String, Room)>) -> Self {
        Self { weights, files, waiting: Mutex::new(waiting), loaded: Mutex::default() }
    }

    /// Loads one parameter after the other until there are none left. Any number of threads may do so at once.
    ///
    /// One thread alone takes longer to touch a model's memory for the first time than to read its files.
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
    /// [`Error::File`] if a file holds a tensor of a type that candle lacks.
    pub fn finish(self) -> Result<Weights> {
        self.work();
        let Self { mut weights, loaded, .. } = self;
        let loaded = loaded.into_inner().unwrap_or_else(PoisonError::into_inner);
        let loaded = loaded.into_iter().collect::<candle_core::Result<_>>();
        weights.put(|folder| loaded.map_err(|e| Error::malformed(folder, e.to_string())))?;
        Ok(weights)
    }
}

/// What a lock guards, even if a thread that held it has panicked: no thread leaves it half changed.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
