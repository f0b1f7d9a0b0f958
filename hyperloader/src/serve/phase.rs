//! Loading, serving, draining; and the requests that are being answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// What a server does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its models are not there yet.
    Loading,
    /// It answers.
    Serving,
    /// It finishes what it accepted.
    Draining,
}

/// The phase of a server and the number of requests that it has accepted and not answered.
#[derive(Debug)]
pub(super) struct Progress {
    phase: watch::Sender<Phase>,
    accepted: Arc<Accepted>,
}

#[derive(Debug, Default)]
struct Accepted {
    number: AtomicUsize,
    answered: tokio::sync::Notify,
}

/// A request that was accepted. It counts until this is dropped.
#[derive(Debug)]
#[must_use = "the request counts until this is dropped"]
pub(super) struct Accepting(Arc<Accepted>);

impl Progress {
    pub(super) fn new() -> Self {
        Self { phase: watch::Sender::new(Phase::Loading), accepted: Arc::default() }
    }

    pub(super) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Accepts a request, or says why not.
    pub(super) fn accept(&self) -> Result<Accepting, Phase> {
        match self.phase() {
            Phase::Serving => {
                self.accepted.number.fetch_add(1, Ordering::Relaxed);
                Ok(Accepting(self.accepted.clone()))
            }
            other => Err(other),
        }
    }

    /// The number of requests that were accepted and not answered.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.number.load(Ordering::Relaxed)
    }

    /// Returns when every accepted request has been answered.
    pub(super) async fn all_answered(&self) {
        loop {
            let answered = self.accepted.answered.notified();
            if self.accepted() == 0 {
                return;
            }
            answered.await;
        }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.number.fetch_sub(1, Ordering::Relaxed);
        self.0.answered.notify_waiters();
    }
}
