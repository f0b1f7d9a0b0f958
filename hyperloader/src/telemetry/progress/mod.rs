//! What a person sees while a run trains: a bar on a terminal, plain lines elsewhere, nothing if quiet.

#[cfg(feature = "progress")]
mod bar;
mod lines;
mod options;

use std::io::{Write, stderr};

use lines::Lines;
pub use options::ProgressOptions;

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
