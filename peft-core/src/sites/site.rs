//! One site of a backbone, and all of them.

use super::role::SiteRole;
use super::stack::Stack;

/// What flows through a site. It decides what a method can do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SiteKind {
    /// A linear map `y = x Wᵀ` with `x: [batch, length, d_in]`, `W: [d_out, d_in]`.
    Linear {
        /// Features in.
        d_in: usize,
        /// Features out.
        d_out: usize,
    },
    /// The output `y: [batch, length, dim]` of a sub-layer, before dropout and the residual sum.
    /// The call's input is the residual stream `h` that the sub-layer read.
    SubLayer {
        /// Features.
        dim: usize,
    },
    /// A norm with the weight `w: [dim]`. The call's input is the normalized stream `x̂`, its output `x̂ ⊙ w`, its base `w`.
    Norm {
        /// Features.
        dim: usize,
    },
    /// A table `E: [rows, dim]` whose rows are looked up. The call's input is the ids `[batch, length]` (u32), its output their rows
    /// `[batch, length, dim]`, its base `E`.
    Embedding {
        /// Rows of the table.
        rows: usize,
        /// Features of a row.
        dim: usize,
    },
    /// The embedded tokens `[batch, length, dim]`, which are both input and output of the call. A method may put positions before
    /// them: then the output is longer, and every token sees the new positions.
    Input {
        /// Features.
        dim: usize,
    },
    /// Keys and values of an attention, concatenated to `[batch, length, 2 · dim]`, with `dim` the features of all heads
    /// together. A method may put positions before them: then the output is longer, and every query sees the new
    /// positions. The method declares them ([`PeftModule::prefixes`](crate::PeftModule::prefixes)).
    /// The call's input is the stream `[batch, queries, d_model]` that the queries come from.
    KeyValue {
        /// Features of the keys, and of the values.
        dim: usize,
        /// Features of the stream that the queries come from.
        queries: usize,
        /// How many heads share them.
        heads: usize,
    },
}

impl SiteKind {
    /// Whether there is a weight, so that a method may be a change of it.
    pub fn has_weight(&self) -> bool {
        matches!(self, Self::Linear { .. } | Self::Norm { .. } | Self::Embedding { .. })
    }
}

/// Positions that a method puts before keys and values at a [`SiteKind::KeyValue`] site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyValuePrefix {
    /// How many positions.
    pub length: usize,
    /// Which positions their keys take.
    pub placement: PrefixPlacement,
}

/// Which positions the keys of a prefix take in a backbone with relative positions. Where keys have no relative position
/// (cross-attention), all placements are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefixPlacement {
    /// Hugging Face `peft`: before the first token, like tokens that were decoded earlier. The positions of queries and keys both
    /// move up by the length of the prefix, so distances between tokens stay the same.
    Past,
    /// As [`Past`](Self::Past), except when decoding token by token: there keys move up and queries keep their positions, and
    /// each query sees keys up to its own position only. So it misses as many of the last tokens as the prefix is long.
    /// The `generate` of transformers 4 treats a prefix from `peft` in this way, although the forward pass does not.
    UncountedPast,
    /// AdapterHub: before the first token. The positions of all other keys move up by the length of the prefix, and queries keep
    /// theirs. So a key seems to come later, relative to the query, by that length. Queries see the same tokens as without a prefix.
    Shifting,
}

/// One place of a backbone where a method may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The dotted path of the module, in the checkpoint's own names
    /// (`encoder.block.0.layer.0.SelfAttention.q`).
    pub path: String,
    /// The stack that it belongs to.
    pub stack: Stack,
    /// The layer within the stack, from 0.
    pub layer: usize,
    /// What it does within the layer.
    pub role: SiteRole,
    /// What flows through it.
    pub kind: SiteKind,
    /// Whether the module has a bias next to its weight: `b: [d_out]` at a linear map, `[dim]` at a norm. The call at the site does
    /// not see it: the backbone adds the bias after the methods, as
    /// [`ActiveAdapters::merge_bias`](crate::ActiveAdapters::merge_bias) changes it.
    pub bias: bool,
}

/// The number of a site within its backbone's [`Sites`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SiteId(usize);

impl SiteId {
    /// The number, from 0 in the order in which the backbone named its sites.
    pub fn index(self) -> usize {
        self.0
    }
}

/// All sites of one backbone, in the order of its forward pass.
///
/// ```
/// use peft_core::{SiteRole, Site, SiteKind, Sites, Stack};
///
/// let mut sites = Sites::default();
/// let q = sites.add(Site {
///     path: "decoder.block.0.layer.0.SelfAttention.q".into(),
///     stack: Stack::DECODER,
///     layer: 0,
///     role: SiteRole::SELF_Q,
///     kind: SiteKind::Linear { d_in: 512, d_out: 512 },
///     bias: false,
/// });
/// assert_eq!(q.index(), 0);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sites(Vec<Site>);

impl Sites {
    /// Names one more site.
    pub fn add(&mut self, site: Site) -> SiteId {
        self.0.push(site);
        SiteId(self.0.len() - 1)
    }

    /// The site with this path, if the backbone has it.
    pub fn find(&self, path: &str) -> Option<SiteId> {
        self.0.iter().position(|site| site.path == path).map(SiteId)
    }

    /// The sites in the order in which they were named.
    pub fn iter(&self) -> std::slice::Iter<'_, Site> {
        self.0.iter()
    }

    /// The stacks that the sites belong to, in the order in which they were first named.
    pub fn stacks(&self) -> Vec<&Stack> {
        let mut stacks = Vec::new();
        for site in self {
            if !stacks.contains(&&site.stack) {
                stacks.push(&site.stack);
            }
        }
        stacks
    }

    /// How many layers `stack` has: one more than the largest number of a layer with a site. 0 if there is no such stack.
    pub fn layers(&self, stack: &Stack) -> usize {
        self.iter().filter(|site| site.stack == *stack).map(|site| site.layer + 1).max().unwrap_or(0)
    }

    /// The features of the stream through `stack`, which its sub-layers read and write; `None` if it has no sub-layers.
    pub fn width(&self, stack: &Stack) -> Option<usize> {
        self.iter().filter(|site| site.stack == *stack).find_map(|site| match site.kind {
            SiteKind::SubLayer { dim } => Some(dim),
            _ => None,
        })
    }

    /// The sites with their numbers, in the order in which they were named.
    pub fn ids(&self) -> impl Iterator<Item = (SiteId, &Site)> {
        self.0.iter().enumerate().map(|(number, site)| (SiteId(number), site))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the backbone named none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Sites {
    type Item = &'a Site;
    type IntoIter = std::slice::Iter<'a, Site>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
