//! Stopping between two steps at the user's request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::Result;

/// Whether the user has asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Debug, Default)]
struct State {
    requested: AtomicBool,
    #[cfg(feature = "cli")]
    signals: Signals,
}

/// The signals of an interrupt.
#[cfg(feature = "cli")]
#[derive(Debug, Default)]
struct Signals {
    /// Whether they request it.
    wanted: bool,
    /// Whether the process has the handler.
    handled: AtomicBool,
    /// How many trainers run, each of which will stop soon and save its state.
    awaited: AtomicUsize,
}

/// The exit code after SIGINT that shells use.
#[cfg(feature = "cli")]
pub(crate) const INTERRUPTED: u8 = 130;

/// While this value lives, signals do not end the process.
#[derive(Debug)]
#[must_use = "signals end the process again when this is dropped"]
pub(super) struct Awaited(#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "no signals"))] Interrupt);

impl Interrupt {
    /// An interrupt that is requested by SIGINT and SIGTERM while a trainer runs.
    ///
    /// Before that and after it there is nothing to save, so that a signal ends the process at once.
    #[cfg(feature = "cli")]
    pub fn on_signal() -> Self {
        Self(Arc::new(State { signals: Signals { wanted: true, ..Signals::default() }, ..State::default() }))
    }

    /// Asks to stop after the current step.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was requested.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Relaxed)
    }

    /// Makes signals a request. Until now they had their usual effect, also on a process that waits for a disk or a network.
    ///
    /// # Errors
    /// If the process has another handler already.
    #[cfg(feature = "cli")]
    pub(super) fn await_request(&self) -> Result<Awaited> {
        let signals = &self.0.signals;
        signals.awaited.fetch_add(1, Ordering::Relaxed);
        if signals.wanted && !signals.handled.swap(true, Ordering::Relaxed) {
            let interrupt = self.clone();
            let handler = move || match interrupt.0.signals.awaited.load(Ordering::Relaxed) {
                0 => std::process::exit(INTERRUPTED.into()),
                _ => interrupt.request(),
            };
            ctrlc::set_handler(handler)
                .map_err(|e| crate::Error::Training(format!("cannot handle interrupts: {e}")))?;
        }
        Ok(Awaited(self.clone()))
    }

    /// Does nothing: signals are for the command.
    ///
    /// # Errors
    /// None.
    #[cfg(not(feature = "cli"))]
    pub(super) fn await_request(&self) -> Result<Awaited> {
        Ok(Awaited(self.clone()))
    }
}

#[cfg(feature = "cli")]
impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.0.signals.awaited.fetch_sub(1, Ordering::Relaxed);
    }
}
