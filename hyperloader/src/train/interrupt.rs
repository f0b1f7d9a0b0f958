//! Stopping between two steps at the user's request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "cli")]
use crate::{Error, Result};

/// Whether the user has asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// An interrupt that is requested by SIGINT and SIGTERM.
    ///
    /// # Errors
    /// If the process already has a handler.
    #[cfg(feature = "cli")]
    pub fn on_signal() -> Result<Self> {
        let interrupt = Self::default();
        let handle = interrupt.clone();
        ctrlc::set_handler(move || handle.request())
            .map_err(|e| Error::Training(format!("cannot handle interrupts: {e}")))?;
        Ok(interrupt)
    }

    /// Asks to stop after the current step.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was requested.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
