//! AdapterHub's prefix tuning, with UniPELT's gate.

use std::num::NonZeroUsize;

use peft_core::{
    PeftConfig, PeftModule, PrefixPlacement, Result, Site, SiteKind, SiteRole, Stack, check_dropout, nonzero, setters,
};
use serde::{Deserialize, Serialize};

use super::module::{Prefix, Projection, Source};
use crate::NonLinearity;

pub(super) const SELF: SiteRole = SiteRole::SELF_KEY_VALUES;
const CROSS: SiteRole = SiteRole::CROSS_KEY_VALUES;

/// Prefix tuning as AdapterHub does it (Li and Liang 2021, arXiv 2101.00190, section 4), with the gate of UniPELT (Mao et al.
/// 2022, arXiv 2110.07577, section 3.2).
///
/// `K' = [g_k P_k; K]`, `V' = [g_v P_v; V]` in self-attention of both stacks and in cross-attention, with
/// `P = [P_k, P_v]: [p, 2 · dim]`, `p = prefix_length` and `dim` the features of all heads. In self-attention the prefix takes
/// the first positions of the keys ([`PrefixPlacement::Shifting`]). Either `P` is a weight of each
/// attention (`flat`), or `P = f(E Wᵀ + b) Uᵀ + c` with `E: [p, d]`, `W: [m, d]` and `b: [m]` shared by all attentions of one
/// kind (encoder, decoder, cross), and `U: [2 · dim, m]`, `c: [2 · dim]` of each attention. AdapterHub has one large map for
/// all attentions of a kind; `U` and `c` are its rows for one attention.
///
/// Gates are 1. With `use_gating` a gate is the mean over the queries `x` of `sigmoid(x Gᵀ + g)` with `G: [1 or 2, d]`. In
/// decoding step by step each token has its own gate, so decoding differs from a forward pass over the whole sentence, in
/// AdapterHub and here.
///
/// At the start `P` and `E` are normal with deviation 1, the maps uniform in ±1/√fan_in (as in PyTorch), and `G` normal with
/// deviation 0.02. Field names and defaults are AdapterHub's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrefixConfig {
    /// How many positions the prefix has. Default 30.
    pub prefix_length: NonZeroUsize,
    /// The width between the two layers of the network that makes the prefix. Default 512.
    pub bottleneck_size: NonZeroUsize,
    /// Whether the prefix itself is a weight, without a network. Default: no.
    pub flat: bool,
    /// The function between the two layers. Default `tanh`.
    pub non_linearity: NonLinearity,
    /// A prefix in the encoder. Default: yes. The decoder's self-attention always has one.
    pub encoder_prefix: bool,
    /// A prefix in cross-attention. Default: yes.
    pub cross_prefix: bool,
    /// Whether a gate scales the prefix. Default: no.
    pub use_gating: bool,
    /// Whether keys and values share the gate. Default: yes.
    pub shared_gating: bool,
    /// The probability with which an element of the prefix is dropped in training. Default 0.
    pub dropout: f64,
}

impl Default for PrefixConfig {
    fn default() -> Self {
        Self {
            prefix_length: nonzero(30),
            bottleneck_size: nonzero(512),
            flat: false,
            non_linearity: NonLinearity::Tanh,
            encoder_prefix: true,
            cross_prefix: true,
            use_gating: false,
            shared_gating: true,
            dropout: 0.,
        }
    }
}

setters! {
    PrefixConfig {
        bottleneck_size => bottleneck_size: nonzero,
        flat => flat: bool,
        non_linearity => non_linearity: NonLinearity,
        encoder_prefix => encoder_prefix: bool,
        cross_prefix => cross_prefix: bool,
        use_gating => use_gating: bool,
        shared_gating => shared_gating: bool,
        dropout => dropout: f64,
    }
}

impl PrefixConfig {
    /// Prefixes of this many positions, otherwise the default. 0 counts as 1.
    pub fn new(prefix_length: usize) -> Self {
        Self { prefix_length: nonzero(prefix_length), ..Self::default() }
    }
}

/// The three kinds of attention, each with its own network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Location {
    Encoder,
    Decoder,
    Cross,
}

impl Location {
    /// Which one `site` is.
    pub(crate) fn of(site: &Site) -> Option<Self> {
        match (&site.stack, &site.role) {
            (stack, role) if *role == SELF && *stack == Stack::ENCODER => Some(Self::Encoder),
            (stack, role) if *role == SELF && *stack == Stack::DECODER => Some(Self::Decoder),
            (_, role) if *role == CROSS => Some(Self::Cross),
            _ => None,
        }
    }

    /// AdapterHub's word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder_prefix",
            Self::Decoder => "self_prefix",
            Self::Cross => "cross_prefix",
        }
    }
}

impl PrefixConfig {
    fn wants(&self, location: Location) -> bool {
        match location {
            Location::Encoder => self.encoder_prefix,
            Location::Decoder => true,
            Location::Cross => self.cross_prefix,
        }
    }

    fn source(&self, location: Location, width: usize) -> Source {
        if self.flat {
            return Source::Table;
        }
        Source::Projection(Projection {
            shared: format!("prefix_tuning.{}", location.name()),
            width,
            hidden: self.bottleneck_size.get(),
            non_linearity: self.non_linearity,
        })
    }
}

#[typetag::serde(name = "PREFIX")]
impl PeftConfig for PrefixConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        let SiteKind::KeyValue { dim, queries, .. } = site.kind else {
            return Ok(None);
        };
        let Some(location) = Location::of(site).filter(|location| self.wants(*location)) else {
            return Ok(None);
        };
        check_dropout("PREFIX", "dropout", self.dropout)?;
        Ok(Some(Box::new(Prefix {
            length: self.prefix_length.get(),
            placement: PrefixPlacement::Shifting,
            name: "prefix",
            dim,
            queries,
            source: self.source(location, queries),
            gates: match (self.use_gating, self.shared_gating) {
                (false, _) => 0,
                (true, true) => 1,
                (true, false) => 2,
            },
            dropout: self.dropout,
        })))
    }
}
