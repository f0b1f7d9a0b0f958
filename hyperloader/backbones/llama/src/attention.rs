//! Grouped-query attention with rotary positions.

use candle_core::Tensor;
use peft_core::layers::{KeyValues, LayerBuilder, Linear, Run, Weight};
use peft_core::{PrefixPlacement, Result, SiteId, SiteKind, SiteRole};
use peft_kernels::{self as ops, Rotary, RotaryLayout, RotaryPairs};

use crate::call::Call;
use crate::config::LlamaConfig;
use crate::rope::Angles;

/// `softmax(q kᵀ / √d + mask) v Woᵀ` per head, where groups of heads share keys and values, and `q` and `k` are rotated by their
/// positions.
#[derive(Debug, Clone)]
pub(crate) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    /// Where methods put keys and values in front of the others.
    key_values: SiteId,
    heads: usize,
    key_value_heads: usize,
    head_dim: usize,
    dropout: f64,
}

impl Attention {
    pub(crate) fn new(builder: &mut LayerBuilder<'_>, path: &str, config: &LlamaConfig) -> Result<Self> {
        let LlamaConfig { hidden_size, num_attention_heads: heads, num_key_value_heads: shared, head_dim, .. } =
            *config;
        let (inner, dim) = (heads.saturating_mul(head_dim), config.key_value_dim());
        let module = |name: &str| format!("{path}.{name}");
        let kind = SiteKind::KeyValue { dim, queries: hidden_size, heads: shared };
        Ok(Self {
            q: builder.linear(&module("q_proj"), SiteRole::SELF_Q, [inner, hidden_size])?,
            k: builder.linear(&module("k_proj"), SiteRole::SELF_K, [dim, hidden_size])?,
            v: builder.linear(&module("v_proj"), SiteRole::SELF_V, [dim, hidden_size])?,
            key_values: builder.site(module("past_key_values"), SiteRole::SELF_KEY_VALUES, kind),
            o: builder.linear(&module("o_proj"), SiteRole::SELF_O, [hidden_size, inner])?,
            heads,
            key_value_heads: shared,
            head_dim,
            dropout: config.attention_dropout,
        })
    }

    /// What the queries of `x [batch, length, hidden]` find in `past` and in their own keys, which join it; the same shape.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        past: &mut Option<KeyValues>,
        call: &mut Call<'_>,
        run: &mut Run<'_>,
    ) -> Result<Tensor> {
        let angles = call.angles(self.moved(run))?;
        let q = self.rotated(self.q.forward(x, run)?, &angles, run)?;
        let keys = self.rotated(self.k.forward(x, run)?, &angles, run)?;
        let new = KeyValues { keys, values: self.v.forward(x, run)? };
        let own = match past.take() {
            Some(past) => past.then(&new)?,
            None => new,
        };
        let all = match run.active.is_idle(self.key_values) {
            true => own.clone(),
            false => own.at(self.key_values, x, run)?,
        };
        let mask = call.mask(all.len()? - own.len()?)?;
        *past = Some(own);
        let options = ops::Attention {
            heads: self.heads,
            key_value_heads: self.key_value_heads,
            scale: Some((self.head_dim as f32).sqrt().recip()),
            bias: None,
            mask: mask.as_ref(),
            dropout: run.ctx.dropout_key(self.dropout),
        };
        let found = ops::attention([&q, &all.keys, &all.values], &options, run.ctx.kernels())?;
        self.o.forward(&found, run)
    }

    /// How far prefixes move the positions of the text. A prefix itself is not rotated. AdapterHub's does not count; both kinds of
    /// `peft` are the same here, because `generate` of `transformers` counts a prefix in a decoder-only model.
    fn moved(&self, run: &Run<'_>) -> usize {
        let counts = |placement| match placement {
            PrefixPlacement::Past | PrefixPlacement::UncountedPast => true,
            PrefixPlacement::Shifting => false,
        };
        let prefixes = run.active.prefixes(self.key_values).filter(|prefix| counts(prefix.placement));
        prefixes.map(|prefix| prefix.length).sum()
    }

    /// `x [batch, length, heads · d]` with the features of every head rotated.
    fn rotated(&self, x: Tensor, Angles { cos, sin }: &Angles, run: &Run<'_>) -> Result<Tensor> {
        let (batch, length, _) = x.dims3()?;
        let heads = x.reshape((batch, length, (), self.head_dim))?;
        let rotary = Rotary { cos, sin, pairs: RotaryPairs::Halves, layout: RotaryLayout::LengthHeads };
        Ok(ops::rotary(&heads, &rotary, run.ctx.kernels())?.flatten_from(2)?)
    }

    pub(crate) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        [&mut self.q, &mut self.k, &mut self.v, &mut self.o].into_iter().map(|linear| &mut linear.0)
    }
}
