//! What a person sees while a run trains: a bar on a terminal, plain lines elsewhere, nothing if quiet.

#[cfg(feature = "progress")]
mod bar;
mod lines;

use std::io::{Write, stderr};
use std::time::Duration;

use lines::Lines;

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

/// Shows steps, loss, speed and the time left on stderr.
///
/// On a terminal this is a bar, in color unless the environment has a `NO_COLOR` that is not empty
/// (<https://no-color.org>). Elsewhere, and without the feature `progress`, it is a plain line every
/// [`ProgressOptions::line_every`]. If quiet, it is nothing.
#[derive(Debug)]
pub struct Progress(Display);

#[derive(Debug)]
enum Display {
    #[cfg(feature = "progress")]
    Bar(indicatif::ProgressBar),
    Lines(Lines),
    Quiet,
}

impl Progress {
    /// Starts the display on stderr.
    #[must_use]
    pub fn new(options: ProgressOptions) -> Self {
        if options.quiet {
            return Self(Display::Quiet);
        }
        #[cfg(feature = "progress")]
        if std::io::IsTerminal::is_terminal(&stderr()) {
            return Self(Display::Bar(bar::on_stderr(options)));
        }
        Self::lines(Box::new(stderr()), options)
    }

    /// Plain lines to `output`.
    #[must_use]
    pub fn lines(output: Box<dyn Write + Send>, options: ProgressOptions) -> Self {
        Self(Display::Lines(Lines::new(output, options)))
    }

    /// Step number `step` (the first is 1) is done, with this loss per token and this number of tokens.
    pub fn step(&mut self, step: usize, loss: f64, tokens: usize) {
        match &mut self.0 {
            #[cfg(feature = "progress")]
            Display::Bar(bar) => {
                bar.set_message(format!("loss {loss:.4}"));
                bar.set_position(step as u64);
            }
            Display::Lines(lines) => lines.step(step, loss, tokens),
            Display::Quiet => {}
        }
    }

    /// Ends the display with the last step and the time of this session.
    pub fn finish(&mut self) {
        match &mut self.0 {
            #[cfg(feature = "progress")]
            Display::Bar(bar) => bar.finish(),
            Display::Lines(lines) => lines.finish(),
            Display::Quiet => {}
        }
    }
}
