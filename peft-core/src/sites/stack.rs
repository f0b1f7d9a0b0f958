//! The stack of layers that a site belongs to.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The stack of layers that a site belongs to, such as `encoder` or `vision.encoder`.
///
/// The backbone chooses the names, and a model may have any number of stacks. Together with the layer and the
/// [role](crate::SiteRole), the stack says where a site is without the module names of one checkpoint format. Generators use it
/// as a key and in the names of their weights: a hypernetwork keeps one network per stack. Names with a constant here mean the
/// same in every backbone.
///
/// Stacks are ordered as data flows through the common ones: the encoder, the decoder, then all others by name.
///
/// ```
/// use peft_core::Stack;
///
/// let towers = [Stack::new("vision.encoder"), Stack::new("text.encoder")];
/// assert_eq!(towers[0].parts().collect::<Vec<_>>(), ["vision", "encoder"]);
/// assert!(Stack::ENCODER < Stack::DECODER && Stack::DECODER < towers[1]);
/// assert_eq!(serde_json::from_str::<Stack>("\"decoder\"")?, Stack::DECODER);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stack(Cow<'static, str>);

impl Stack {
    /// The encoder of an encoder-decoder, or the only stack of an encoder-only model.
    pub const ENCODER: Self = Self::new("encoder");
    /// The decoder of an encoder-decoder, or the only stack of a decoder-only model.
    pub const DECODER: Self = Self::new("decoder");

    /// A stack with a name known at compile time. Dots separate the parts of a name.
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts of the name, from the outermost: `vision` and `encoder` of `vision.encoder`.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    fn rank(&self) -> usize {
        [Self::ENCODER, Self::DECODER].iter().position(|known| known == self).unwrap_or(usize::MAX)
    }
}

/// Files hold maps by stack. This order keeps the encoder before the decoder in them.
impl Ord for Stack {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Stack {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<String> for Stack {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
