//! The progress of a run: a bar on a terminal, plain lines elsewhere, nothing if asked.

use std::ffi::OsStr;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::Lines;
use super::meter::{Meter, Span};

/// How the progress of a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressOptions {
    /// Steps of the whole run.
    pub total_steps: usize,
    /// Steps done before this session, when it resumes a run. Default 0.
    pub done_steps: usize,
    /// Show nothing at all. Default false.
    pub quiet: bool,
    /// The least time between two lines where stderr is no terminal. Default 30 seconds.
    pub line_every: Duration,
}

impl Default for ProgressOptions {
    fn default() -> Self {
        Self { total_steps: 0, done_steps: 0, quiet: false, line_every: Duration::from_secs(30) }
    }
}

/// Shows steps, loss, tokens per second and the time left on stderr.
///
/// On a terminal this is a bar, in colour unless the environment has a `NO_COLOR` that is not empty
/// (<https://no-color.org>); elsewhere a plain line every [`ProgressOptions::line_every`]; if quiet, nothing.
#[derive(Debug)]
pub struct Progress {
    display: Display,
    meter: Meter,
    started: Instant,
    last: Instant,
}

#[derive(Debug)]
enum Display {
    Bar(ProgressBar),
    /// Whether the newest step is already on a line.
    Lines(Lines, bool),
    Quiet,
}

impl Progress {
    /// Starts the display on stderr, in the form that suits it.
    #[must_use]
    pub fn new(options: ProgressOptions) -> Self {
        let display = if options.quiet {
            Display::Quiet
        } else if stderr().is_terminal() {
            Display::Bar(bar(options, colored(std::env::var_os("NO_COLOR").as_deref())))
        } else {
            Display::Lines(Lines::new(Box::new(stderr()), options.line_every), true)
        };
        Self::with(display, options)
    }

    /// Plain lines to a sink of one's own.
    #[must_use]
    pub fn lines(output: Box<dyn Write + Send>, options: ProgressOptions) -> Self {
        Self::with(Display::Lines(Lines::new(output, options.line_every), true), options)
    }

    fn with(display: Display, options: ProgressOptions) -> Self {
        let now = Instant::now();
        let meter = Meter::new(options.total_steps, options.done_steps);
        Self { display, meter, started: now, last: now }
    }

    /// Step number `step` (the first is 1) is done, with this loss per token and this many tokens.
    pub fn step(&mut self, step: usize, loss: f64, tokens: usize) {
        let now = Instant::now();
        self.meter.observe(step, loss, tokens, (now - self.last).as_secs_f64());
        self.last = now;
        match &mut self.display {
            Display::Bar(bar) => {
                bar.set_position(step as u64);
                bar.set_message(self.meter.details());
            }
            Display::Lines(lines, shown) => *shown = lines.maybe(&self.meter),
            Display::Quiet => {}
        }
    }

    /// Shows a line of text, above the bar if there is one. Errors do not belong here: a quiet run drops messages.
    pub fn message(&mut self, text: &str) {
        match &mut self.display {
            Display::Bar(bar) => bar.println(text),
            Display::Lines(lines, _) => lines.always(&text),
            Display::Quiet => {}
        }
    }

    /// Ends the display with the last step and the time that this session took.
    pub fn finish(&mut self) {
        let took = Span(self.started.elapsed().as_secs_f64());
        match &mut self.display {
            Display::Bar(bar) => bar.finish(),
            Display::Lines(lines, shown) => {
                if !*shown {
                    lines.always(&self.meter);
                }
                *shown = true;
                lines.always(&format_args!("finished at step {} after {took}", self.meter.done()));
            }
            Display::Quiet => {}
        }
    }
}

fn colored(no_color: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty)
}

fn bar(options: ProgressOptions, color: bool) -> ProgressBar {
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(Some(options.total_steps as u64), target).with_style(style(color));
    bar.set_position(options.done_steps as u64);
    bar
}

fn style(color: bool) -> ProgressStyle {
    let template = if color {
        "{bar:30.cyan/blue} {pos}/{len}  {msg}  {elapsed} so far"
    } else {
        "{bar:30} {pos}/{len}  {msg}  {elapsed} so far"
    };
    // The templates are constants that a test parses; the plain bar stands in should that ever fail.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> Vec<String> {
            let bytes = self.0.lock().unwrap().clone();
            String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
        }
    }

    fn run(line_every: Duration) -> Vec<String> {
        let output = Shared::default();
        let options = ProgressOptions { total_steps: 3, line_every, ..ProgressOptions::default() };
        let mut progress = Progress::lines(Box::new(output.clone()), options);
        progress.message("hello");
        for step in 1..=3 {
            progress.step(step, 0.5, 10);
        }
        progress.finish();
        output.text()
    }

    #[test]
    fn lines_come_at_once_then_now_and_then_and_at_the_end() {
        let lines = run(Duration::from_secs(3600));
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[0], "hello");
        assert!(lines[1].starts_with("step 1/3 (33.3 %)  loss 0.5000"), "{lines:?}");
        assert!(lines[2].starts_with("step 3/3 (100.0 %)"), "{lines:?}");
        assert_eq!(lines[3], "finished at step 3 after 0s");
    }

    #[test]
    fn without_a_pause_every_step_has_one_line() {
        let lines = run(Duration::ZERO);
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains('\u{1b}')), "no escape codes: {lines:?}");
    }

    #[test]
    fn the_templates_of_the_bar_are_valid() {
        for color in [true, false] {
            let options = ProgressOptions { total_steps: 9, done_steps: 4, ..ProgressOptions::default() };
            let bar = bar(options, color);
            assert_eq!((bar.position(), bar.length()), (4, Some(9)));
        }
        assert!(ProgressStyle::with_template("{bar:30.cyan/blue} {pos}/{len}  {msg}  {elapsed} so far").is_ok());
    }

    #[test]
    fn no_color_counts_only_if_it_is_not_empty() {
        assert!(colored(None) && colored(Some(OsStr::new(""))));
        assert!(!colored(Some(OsStr::new("1"))));
    }
}
