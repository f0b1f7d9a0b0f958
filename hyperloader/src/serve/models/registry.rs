//! The models by name.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use super::model::{Model, TaskInfo};
use crate::serve::metrics::Metrics;
use crate::serve::options::{ModelSource, ServeOptions};
use crate::{Error, Result};

/// The models that are loaded.
#[derive(Debug, Default)]
pub(in crate::serve) struct Registry {
    models: RwLock<BTreeMap<String, Arc<Model>>>,
    /// Models are loaded one after the other, so that a name cannot be taken twice.
    loading: Mutex<()>,
}

/// Why a model is not loaded.
#[derive(Debug)]
pub(in crate::serve) enum Unloaded {
    /// Another one has its name.
    Taken,
    /// It cannot be loaded.
    Failed(Error),
}

impl Registry {
    /// Loads all models of the options at once.
    ///
    /// # Errors
    /// The error of the first model that cannot be loaded; [`Error::Config`] if two have the same name.
    pub(in crate::serve) async fn load_all(&self, options: &ServeOptions, metrics: &Metrics) -> Result<()> {
        let mut starting = BTreeMap::new();
        for source in &options.models {
            let model = Model::start(source, options, metrics.model(&source.name))?;
            if starting.insert(&source.name, model).is_some() {
                return Err(Error::Config(format!(
                    "two models are named {:?}; give one of them another name: NAME={}",
                    source.name,
                    source.path.display()
                )));
            }
        }
        for (name, model) in starting {
            let model = model.await.unwrap_or_else(|_| Err(lost(name)))?;
            self.write(|models| models.insert(name.clone(), Arc::new(model)));
        }
        Ok(())
    }

    /// Loads one more model.
    pub(in crate::serve) async fn load(
        &self,
        source: &ModelSource,
        options: &ServeOptions,
        metrics: &Metrics,
    ) -> Result<Arc<Model>, Unloaded> {
        let _one_at_a_time = self.loading.lock().await;
        if self.get(&source.name).is_some() {
            return Err(Unloaded::Taken);
        }
        let model = Model::start(source, options, metrics.model(&source.name)).map_err(Unloaded::Failed)?;
        let model = model.await.unwrap_or_else(|_| Err(lost(&source.name))).map_err(Unloaded::Failed)?;
        let model = Arc::new(model);
        self.write(|models| models.insert(source.name.clone(), model.clone()));
        Ok(model)
    }

    /// Takes a model away, and returns whether there was one. What it has accepted is still answered.
    pub(in crate::serve) fn unload(&self, name: &str) -> bool {
        self.write(|models| models.remove(name)).is_some()
    }

    pub(in crate::serve) fn get(&self, name: &str) -> Option<Arc<Model>> {
        self.models.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The models, sorted by name.
    pub(in crate::serve) fn all(&self) -> Vec<Arc<Model>> {
        self.models.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The tasks of all models.
    pub(in crate::serve) fn tasks(&self) -> Vec<TaskInfo> {
        self.all().iter().flat_map(|model| model.tasks()).collect()
    }

    fn write<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<Model>>) -> T) -> T {
        change(&mut self.models.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn lost(name: &str) -> Error {
    Error::Internal(format!("the thread of the model {name:?} ended while it was loading"))
}
