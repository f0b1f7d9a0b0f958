//! The options of the display.

use std::time::Duration;

/// How the progress of a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressOptions {
    /// Steps of the whole run.
    pub total_steps: usize,
    /// Steps that were done before this session, if it resumes a run. Default 0.
    pub done_steps: usize,
    /// Show nothing. Default false.
    pub quiet: bool,
    /// The least time between two lines if stderr is not a terminal. Default 30 seconds.
    pub line_every: Duration,
}

impl Default for ProgressOptions {
    fn default() -> Self {
        Self { total_steps: 0, done_steps: 0, quiet: false, line_every: Duration::from_secs(30) }
    }
}
