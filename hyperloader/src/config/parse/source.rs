//! The texts of a configuration, the file and the overrides, as one range of offsets.

use std::path::Path;

use crate::Error;

/// A file and its overrides. Offsets count through the file and then through the overrides, with one offset between two texts.
pub(super) struct Source<'a> {
    pub(super) name: &'a Path,
    pub(super) text: &'a str,
    pub(super) overrides: &'a [String],
}

impl Source<'_> {
    /// The offset at which override number `index` begins.
    pub(super) fn start(&self, index: usize) -> usize {
        let before = self.overrides.iter().take(index);
        self.text.len() + 1 + before.map(|text| text.len() + 1).sum::<usize>()
    }

    /// An error at `offset`: `file:line: message`, or `--set key=value: message`.
    pub(super) fn error(&self, offset: usize, message: &str) -> Error {
        let message = message.trim();
        let starts = (0..self.overrides.len()).rev();
        let set = starts.map(|i| (i, self.start(i))).find(|&(_, start)| start <= offset);
        if let Some(text) = set.and_then(|(i, _)| self.overrides.get(i)) {
            return Error::Config(format!("--set {text}: {message}"));
        }
        let before = self.text.bytes().take(offset);
        let line = 1 + before.filter(|&byte| byte == b'\n').count();
        Error::Config(format!("{}:{line}: {message}", self.name.display()))
    }
}
