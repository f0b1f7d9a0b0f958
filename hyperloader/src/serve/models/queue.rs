//! The requests of a model that wait for workers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::{Batch, BatchLimits, State, Waiting};
use super::job::{Job, Text};

/// A worker that has answered several texts waits for their clients to ask again: for this part of the time that the batch took.
const PART_TO_GATHER: u32 = 20;
/// It does not wait for longer than this.
const MOST_TO_GATHER: Duration = Duration::from_millis(10);

/// A batch that a worker has labelled.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Finished {
    texts: usize,
    time: Duration,
    /// The texts that had come when it was finished.
    arrived: usize,
}

/// Why a request does not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum Refused {
    /// As many wait as may.
    Full,
    /// The model is being unloaded.
    Closed,
}

/// The requests of a model that wait, in the order of their arrival.
#[derive(Debug)]
pub(in crate::serve) struct Queue {
    state: Mutex<State>,
    /// Something can be taken, or the queue is closed.
    changed: Condvar,
    /// Something has come, for workers that gather.
    arrived: Condvar,
    most_to_gather: Duration,
    capacity: usize,
    limits: BatchLimits,
}

impl Queue {
    pub(super) fn new(capacity: usize, limits: BatchLimits) -> Self {
        let [changed, arrived] = [Condvar::new(), Condvar::new()];
        Self { state: Mutex::default(), changed, arrived, most_to_gather: MOST_TO_GATHER, capacity, limits }
    }

    /// A queue whose workers gather for as long as it takes.
    #[cfg(test)]
    pub(super) fn patient(self) -> Self {
        Self { most_to_gather: Duration::MAX, ..self }
    }

    /// The number of requests that wait.
    pub(in crate::serve) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Adds a request at the end. It must have texts.
    pub(in crate::serve) fn push(&self, job: Job, texts: Vec<Text>) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= self.capacity {
            // Clients that have gone make room.
            state.waiting.retain(|waiting| !waiting.job.is_over());
            if state.waiting.len() >= self.capacity {
                return Err(Refused::Full);
            }
        }
        state.arrived = state.arrived.wrapping_add(texts.len());
        state.waiting.push_back(Waiting {
            job: Arc::new(job),
            texts: texts.into_iter().enumerate().collect(),
            passed: 0,
        });
        drop(state);
        self.changed.notify_one();
        self.arrived.notify_all();
        Ok(())
    }

    /// Lets nothing in any more. What waits is still taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
        self.arrived.notify_all();
    }

    /// The next batch for a worker that has labelled `before`, which is waited for; `None` once the queue is closed and empty.
    pub(super) fn take(&self, before: Finished) -> Option<Batch> {
        let mut state = self.gather(before);
        loop {
            if let Some(batch) = state.cut(&self.limits) {
                // One request may be several batches, and a worker was woken for the request alone.
                let goes_on = !state.waiting.is_empty();
                drop(state);
                if goes_on {
                    self.changed.notify_one();
                }
                return Some(batch);
            }
            if state.closed && state.waiting.is_empty() {
                drop(state);
                self.changed.notify_all();
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits a little until as many texts have come as the worker has just answered: their clients may ask again at once, and a text costs
    /// less in a larger batch. After a batch of one text it does not wait, and neither if a batch may have no more than what waits.
    fn gather(&self, before: Finished) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if before.texts <= 1 {
            return state;
        }
        let until = Instant::now() + self.most_to_gather.min(before.time / PART_TO_GATHER);
        while !state.closed
            && state.arrived.wrapping_sub(before.arrived) < before.texts
            && state.texts() < self.limits.texts
        {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Says that a batch which was taken has been labelled, in `time`.
    pub(super) fn done(&self, batch: &Batch, time: Duration) -> Finished {
        let mut state = self.lock();
        state.running -= batch.texts.len();
        if batch.is_long {
            state.long -= 1;
            self.changed.notify_all();
        }
        Finished { texts: batch.texts.len(), time, arrived: state.arrived }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
