//! The texts of a configuration, the file and the overrides, as one range of offsets.

use std::path::Path;

use crate::Error;

/// What is wrong, and the offset at which it is wrong.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}

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

    /// The override that holds `offset`; `None` if the file does.
    pub(super) fn override_at(&self, offset: usize) -> Option<&str> {
        let index = (0..self.overrides.len()).rev().find(|index| self.start(*index) <= offset)?;
        self.overrides.get(index).map(String::as_str)
    }

    /// A fault with its place: `file:line: message`, or `--set key=value: message`.
    pub(super) fn error(&self, Fault { offset, message }: Fault) -> Error {
        let message = message.trim();
        if let Some(text) = self.override_at(offset) {
            return Error::Config(format!("--set {text}: {message}"));
        }
        let before = self.text.bytes().take(offset);
        let line = 1 + before.filter(|&byte| byte == b'\n').count();
        Error::Config(format!("{}:{line}: {message}", self.name.display()))
    }
}
