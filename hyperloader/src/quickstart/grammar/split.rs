//! Which part of a corpus is drawn.

/// A part of a corpus. Each is a draw of its own, not a share of a common one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// To train on.
    Train,
    /// To choose the best checkpoint by.
    Validation,
    /// To report on.
    Test,
}

impl Split {
    /// All three, in the order of their use.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The seed that [`generate`](super::generate) draws this part with: 3 · `corpus_seed` + 0, 1 or 2 (modulo
    /// 2⁶⁴), so that the parts of neighbouring corpora differ as well.
    #[must_use]
    pub const fn seed(self, corpus_seed: u64) -> u64 {
        corpus_seed.wrapping_mul(3).wrapping_add(self as u64)
    }
}
