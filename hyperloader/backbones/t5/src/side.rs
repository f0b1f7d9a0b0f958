//! Encoder or decoder, where the two differ.

use std::fmt;

use peft_core::Stack;

/// One of the two stacks of T5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Encoder,
    Decoder,
}

impl Side {
    /// Its name at the sites.
    pub(super) const fn stack(self) -> Stack {
        match self {
            Self::Encoder => Stack::ENCODER,
            Self::Decoder => Stack::DECODER,
        }
    }
}

/// The first part of the names of its parameters.
impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stack().fmt(f)
    }
}
