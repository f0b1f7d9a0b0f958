//! `peft`'s prefix tuning: keys and values before the first token, as if tokens had been decoded earlier.

use std::num::NonZeroUsize;

use candle_core::Tensor;
use peft_core::{Ctx, Error, PeftConfig, PeftModule, PrefixPlacement, Result, Site, SiteKind, Stack, nonzero, setters};
use serde::{Deserialize, Serialize};

use super::hub::SELF;
use super::module::{Prefix, Projection, Source};
use crate::NonLinearity;

/// Prefix tuning as Hugging Face `peft` does it (Li and Liang 2021, *Prefix-Tuning: Optimizing Continuous Prompts for
/// Generation*, arXiv 2101.00190, section 4).
///
/// `K' = [P_k; K]`, `V' = [P_v; V]` in the decoder's self-attention of every layer, with `P = [P_k, P_v]: [p, 2 · dim]`,
/// `dim` the features of all heads and `p = num_virtual_tokens`. The prefix counts as tokens that were decoded before the first one: its relative
/// position biases are theirs. Encoder and cross-attention have no prefix, because `peft` (0.21 with transformers
/// 4.57) empties the cache of cross-attention.
///
/// With `prefix_projection`, `P = tanh(E Wᵀ + b) Uᵀ + c` (section 4.3) with `E: [p, d]` and `W: [m, d]` shared by all
/// layers, `U: [2 · dim, m]` and `c: [2 · dim]` of each. `peft` has one large map; `U` and `c` are its rows for one layer.
/// At the start `P` or `E` is normal with deviation 1, and the maps are uniform in ±1/√fan_in (as in PyTorch).
///
/// The table of `peft` has an oddity: with its default `num_transformer_submodules = 2`, layer `i` of `L` reads part
/// `2i mod L` of the table. For even `L` two layers then share a prefix, and half of the table is not used. Here each layer
/// has its own prefix. [`read_peft`](crate::files::read_peft) gives each layer the part that it reads in `peft`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrefixTuningConfig {
    /// How many positions the prefix has. Default 20.
    pub num_virtual_tokens: NonZeroUsize,
    /// Whether a two-layer network makes the prefix. Default: no.
    pub prefix_projection: bool,
    /// The width between the two layers. Default: the width of the model.
    pub encoder_hidden_size: Option<NonZeroUsize>,
    /// Whether decoding token by token gives the same tokens as `generate` of transformers 4. That function does not count the
    /// prefix and hides the last `num_virtual_tokens` tokens from each query, which contradicts the forward pass in training
    /// ([`PrefixPlacement::UncountedPast`](peft_core::PrefixPlacement::UncountedPast)). Default: no. Reading a `peft` folder sets it, so
    /// that the model decodes as in Python.
    pub decode_as_transformers: bool,
}

impl Default for PrefixTuningConfig {
    fn default() -> Self {
        Self {
            num_virtual_tokens: nonzero(20),
            prefix_projection: false,
            encoder_hidden_size: None,
            decode_as_transformers: false,
        }
    }
}

setters! {
    PrefixTuningConfig {
        prefix_projection => prefix_projection: bool,
        encoder_hidden_size => encoder_hidden_size: nonzero,
    }
}

impl PrefixTuningConfig {
    /// A prefix of this many positions, otherwise the default. 0 counts as 1.
    pub fn new(num_virtual_tokens: usize) -> Self {
        Self { num_virtual_tokens: nonzero(num_virtual_tokens), ..Self::default() }
    }

    fn prefix(&self, site: &Site) -> Option<Prefix> {
        let SiteKind::KeyValue { dim, queries, .. } = site.kind else {
            return None;
        };
        if site.stack != Stack::DECODER || site.role != SELF {
            return None;
        }
        // The names of weights are a contract: runs and adapters hold them under these.
        let (placement, name) = match self.decode_as_transformers {
            true => (PrefixPlacement::UncountedPast, "uncounted_past.prefix"),
            false => (PrefixPlacement::Past, "past.prefix"),
        };
        let projection = || Projection {
            shared: "prefix_encoder".to_owned(),
            width: queries,
            hidden: self.encoder_hidden_size.map_or(queries, NonZeroUsize::get),
            non_linearity: NonLinearity::Tanh,
        };
        Some(Prefix {
            length: self.num_virtual_tokens.get(),
            placement,
            name,
            dim,
            queries,
            source: if self.prefix_projection { Source::Projection(projection()) } else { Source::Table },
            gates: 0,
            dropout: 0.,
        })
    }

    /// The prefix at `site`, keys joined with values, `[num_virtual_tokens, 2 · dim]`.
    pub(crate) fn rows(&self, site: &Site, weights: &[Tensor]) -> Result<Tensor> {
        let prefix = self.prefix(site).ok_or_else(|| Error::Mismatch(format!("no prefix at {}", site.path)))?;
        prefix.source.rows(weights, &Ctx::eval())
    }
}

#[typetag::serde(name = "PREFIX_TUNING")]
impl PeftConfig for PrefixTuningConfig {
    fn module(&self, site: &Site) -> Result<Option<Box<dyn PeftModule>>> {
        Ok(self.prefix(site).map(|prefix| Box::new(prefix) as Box<dyn PeftModule>))
    }
}
