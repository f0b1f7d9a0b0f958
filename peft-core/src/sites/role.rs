//! What a site does within its layer.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a site does within its layer, such as `self.q` or `ffn`. Sites with the same role in different layers are alike.
///
/// The backbone chooses the roles. Generators use them as keys and for nothing else. Names with a constant here mean the same
/// in every backbone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SiteRole(Cow<'static, str>);

impl SiteRole {
    /// The embedding table of the tokens.
    pub const EMBEDDING: Self = Self::new("embedding");
    /// The embedded input, before the first layer.
    pub const INPUT: Self = Self::new("input");
    /// The output of the self-attention sub-layer.
    pub const SELF_ATTENTION: Self = Self::new("self");
    /// The norm before self-attention.
    pub const SELF_NORM: Self = Self::new("self.norm");
    /// The query map of self-attention.
    pub const SELF_Q: Self = Self::new("self.q");
    /// The key map of self-attention.
    pub const SELF_K: Self = Self::new("self.k");
    /// The value map of self-attention.
    pub const SELF_V: Self = Self::new("self.v");
    /// The output map of self-attention.
    pub const SELF_O: Self = Self::new("self.o");
    /// Keys and values of self-attention.
    pub const SELF_KEY_VALUES: Self = Self::new("self.kv");
    /// The output of the cross-attention sub-layer.
    pub const CROSS_ATTENTION: Self = Self::new("cross");
    /// The norm before cross-attention.
    pub const CROSS_NORM: Self = Self::new("cross.norm");
    /// The query map of cross-attention.
    pub const CROSS_Q: Self = Self::new("cross.q");
    /// The key map of cross-attention.
    pub const CROSS_K: Self = Self::new("cross.k");
    /// The value map of cross-attention.
    pub const CROSS_V: Self = Self::new("cross.v");
    /// The output map of cross-attention.
    pub const CROSS_O: Self = Self::new("cross.o");
    /// Keys and values of cross-attention.
    pub const CROSS_KEY_VALUES: Self = Self::new("cross.kv");
    /// The output of the feed-forward sub-layer.
    pub const FEED_FORWARD: Self = Self::new("ffn");
    /// The norm before the feed-forward sub-layer.
    pub const FEED_FORWARD_NORM: Self = Self::new("ffn.norm");
    /// The first map of a feed-forward sub-layer without a gate.
    pub const FEED_FORWARD_WI: Self = Self::new("ffn.wi");
    /// The gate map of a gated feed-forward sub-layer.
    pub const FEED_FORWARD_WI_0: Self = Self::new("ffn.wi_0");
    /// The linear map next to the gate of a gated feed-forward sub-layer.
    pub const FEED_FORWARD_WI_1: Self = Self::new("ffn.wi_1");
    /// The last map of a feed-forward sub-layer.
    pub const FEED_FORWARD_WO: Self = Self::new("ffn.wo");
    /// The norm at the end of a stack.
    pub const FINAL_NORM: Self = Self::new("final.norm");
    /// The output projection. `"all-linear"` leaves it out.
    pub const LM_HEAD: Self = Self::new("lm_head");

    /// A role with a name known at compile time.
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for SiteRole {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

impl fmt::Display for SiteRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
