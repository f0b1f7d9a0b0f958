//! The tasks of a model whose weights are kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Result;
use crate::label::Labeller;
use crate::session::Session;

/// Labellers by task; the most recently used ones are kept.
#[derive(Debug)]
pub(super) struct Tasks<'s> {
    session: &'s Session,
    most: usize,
    /// The most recently used task is the last one.
    kept: Mutex<Vec<(String, Slot<'s>)>>,
}

/// A labeller, once it is made. The lock is held while it is made, so that two workers do not make it twice.
type Slot<'s> = Arc<Mutex<Option<Arc<Labeller<'s>>>>>;

impl<'s> Tasks<'s> {
    /// The tasks of `session`, of which up to `most` are kept.
    pub(super) fn new(session: &'s Session, most: usize) -> Self {
        Self { session, most: most.max(1), kept: Mutex::default() }
    }

    /// The labeller of `task`. Its weights are generated now unless they are kept.
    ///
    /// # Errors
    /// As [`Session::labeller`].
    pub(super) fn get(&self, task: &str) -> Result<Arc<Labeller<'s>>> {
        let slot = self.slot(task);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(labeller) = slot.as_ref() {
            return Ok(labeller.clone());
        }
        let made = self.session.labeller(task).map(Arc::new);
        match &made {
            Ok(labeller) => *slot = Some(labeller.clone()),
            // It takes no place of another task.
            Err(_) => self.kept().retain(|(name, _)| name != task),
        }
        made
    }

    /// The names of the tasks that are kept.
    pub(super) fn names(&self) -> Vec<String> {
        self.kept().iter().map(|(name, _)| name.clone()).collect()
    }

    /// The place of `task`, which is now the most recently used one. The least recently used one is forgotten if there are too many;
    /// its memory is free when the last batch of it is done.
    fn slot(&self, task: &str) -> Slot<'s> {
        let mut kept = self.kept();
        let own = kept.iter().position(|(name, _)| name == task).map(|place| kept.remove(place).1);
        let slot = own.unwrap_or_default();
        if kept.len() >= self.most {
            kept.remove(0);
        }
        kept.push((task.to_owned(), slot.clone()));
        slot
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(String, Slot<'s>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
