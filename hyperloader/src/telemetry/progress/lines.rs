//! Plain lines, for logs and pipes.

use std::fmt::{self, Display};
use std::io::Write;
use std::time::{Duration, Instant};

/// Writes a line now and then.
pub(super) struct Lines {
    output: Box<dyn Write + Send>,
    every: Duration,
    last: Option<Instant>,
}

impl Lines {
    /// The first line comes at once, later ones at least `every` apart.
    pub(super) fn new(output: Box<dyn Write + Send>, every: Duration) -> Self {
        Self { output, every, last: None }
    }

    /// Writes a line if it is time for one, and says whether it did.
    pub(super) fn maybe(&mut self, line: &impl Display) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= self.every);
        if due {
            self.last = Some(Instant::now());
            self.always(line);
        }
        due
    }

    /// Writes a line.
    pub(super) fn always(&mut self, line: &impl Display) {
        // A closed stderr must not stop a training run: what matters is in the files.
        let _ = writeln!(self.output, "{line}").and_then(|()| self.output.flush());
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("every", &self.every).finish_non_exhaustive()
    }
}
