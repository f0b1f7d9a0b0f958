//! The options of the display.

use std::time::Duration;

use smart_default::SmartDefault;

/// How the progress of a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SmartDefault)]
pub struct ProgressOptions {
    /// Steps of the whole run.
    pub total_steps: usize,
    /// Steps that were done before this session, if it resumes a run. Default 0.
    pub done_steps: usize,
    /// Show nothing. Default false.
    pub quiet: bool,
    /// The least time between two lines if stderr is not a terminal. Default 30 seconds.
    #[default(Duration::from_secs(30))]
    pub line_every: Duration,
}
