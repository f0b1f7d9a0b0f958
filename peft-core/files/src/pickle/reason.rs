//! Why a file is refused.

/// The reason, in words.
pub(super) type Reason = String;
