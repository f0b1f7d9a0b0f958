//! The parts of a corpus.

use std::fmt;

/// A part of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum SplitName {
    /// The sentences that the model learns from
    Train,
    /// The sentences that select the best checkpoint
    #[cfg_attr(feature = "cli", value(aliases = ["valid", "dev"]))]
    Validation,
    /// The sentences that scores are reported for
    Test,
}

impl fmt::Display for SplitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}
