//! The whole model: embeddings, blocks and output projection.

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use peft_core::layers::{Columns, Embedding, KeyValues, LayerBuilder, Linear, RmsNorm, Run, Weight};
use peft_core::{ActiveAdapters, Ctx, Error, Merge, Result, SiteId, SiteInput, SiteKind, SiteRole, Sites, Stack};
use peft_kernels as ops;

use crate::block::Block;
use crate::cache::KvCache;
use crate::call::Call;
use crate::config::LlamaConfig;
use crate::input::LlamaInput;
use crate::rope::Frequencies;

/// Llama or Mistral with its sites.
///
/// Shapes: `b` rows, `t` tokens, `d = hidden_size`, `V` words. Token ids are `u32`. Methods may put `p` positions in front of the input,
/// as prompt tuning does; otherwise `p = 0`.
#[derive(Debug, Clone)]
pub struct Llama {
    /// The folder or the name that the model was opened by.
    name: Option<String>,
    pub(crate) config: LlamaConfig,
    pub(crate) sites: Sites,
    pub(crate) embed_tokens: Embedding,
    /// Where methods may put embeddings in front of the text.
    input: SiteId,
    blocks: Vec<Block>,
    norm: RmsNorm,
    /// `None`: the embedding table.
    pub(crate) lm_head: Option<Linear>,
    frequencies: Frequencies,
}

impl Llama {
    /// The model of shape `config` with its parameters taken from `vb`, at the root of the Hugging Face names: `model.embed_tokens.weight`,
    /// `model.layers.0.self_attn.q_proj.weight` and so on.
    ///
    /// If the type of `vb` is `bf16`, the matrices that do not train are held in it; norms, variables and everything that is computed
    /// are `f32`.
    ///
    /// # Errors
    /// If `config` is impossible, or a parameter is missing or has another shape than it says.
    pub fn new(config: &LlamaConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let config = config.clone().validate().map_err(Error::Mismatch)?;
        let mut builder = LayerBuilder::new(vb, Stack::DECODER);
        let LlamaConfig { vocab_size, hidden_size: dim, num_hidden_layers, .. } = config;
        let embed_tokens = builder.embedding("model.embed_tokens", SiteRole::EMBEDDING, [vocab_size, dim])?;
        let input = builder.site("model.inputs_embeds", SiteRole::INPUT, SiteKind::Input { dim });
        let blocks = (0..num_hidden_layers).map(|number| Block::new(&mut builder, number, &config));
        let blocks = blocks.collect::<Result<_>>()?;
        let norm = builder.rms_norm("model.norm", SiteRole::FINAL_NORM, (dim, config.rms_norm_eps))?;
        let lm_head = match config.tie_word_embeddings {
            true => None,
            false => Some(builder.linear("lm_head", SiteRole::LM_HEAD, [vocab_size, dim])?),
        };
        let frequencies = Frequencies::new(config.head_dim, config.rope_theta, config.rope_scaling.as_ref());
        let sites = builder.into_sites();
        Ok(Self { name: None, config, sites, embed_tokens, input, blocks, norm, lm_head, frequencies })
    }

    /// The same model with another [`name`](Self::name()): a folder from which it can be opened again.
    #[must_use]
    pub fn with_name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// The folder that the model was opened from, if there is one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The places where methods may act, in the order of the forward pass.
    ///
    /// | site | path | role |
    /// |---|---|---|
    /// | embedding table | `model.embed_tokens` | `embedding` |
    /// | embedded text | `model.inputs_embeds` | `input` |
    /// | linear map | its module, such as `model.layers.0.self_attn.q_proj` | `self.q`, `self.k`, `self.v`, `self.o`, `ffn.wi_0` (`gate_proj`), `ffn.wi_1` (`up_proj`), `ffn.wo` (`down_proj`) |
    /// | keys and values | `model.layers.<i>.self_attn.past_key_values` | `self.kv` |
    /// | output of a sub-layer | `model.layers.<i>.self_attn`, `model.layers.<i>.mlp` | `self`, `ffn` |
    /// | norm | its module | `self.norm`, `ffn.norm`, `final.norm` |
    /// | output projection, if it is not tied | `lm_head` | `lm_head` |
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// The shape of the model.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// The device of the parameters.
    pub fn device(&self) -> &Device {
        self.embed_tokens.0.value.device()
    }

    /// The output of the last norm for whole texts, `[b, p + t, d]`, ready for [`logits`](Self::logits) or
    /// [`output_weight`](Self::output_weight). A token sees itself and the tokens before it.
    ///
    /// # Errors
    /// If an id is outside the vocabulary; or as the active methods do.
    pub fn hidden(&self, input: &LlamaInput, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        self.extend(input, &mut KvCache::new(), active, ctx)
    }

    /// [`hidden`](Self::hidden) for the next tokens of texts whose beginnings `cache` has seen; they join it. What methods put in front
    /// of the input is a part of the first step alone. After an error the cache is as it was.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the cache has other rows; otherwise as [`hidden`](Self::hidden).
    pub fn extend(
        &self,
        input: &LlamaInput,
        cache: &mut KvCache,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let (rows, length) = input.ids.dims2()?;
        if !cache.is_empty() && cache.tokens.len() != rows {
            let seen = cache.tokens.len();
            return Err(Error::Mismatch(format!("the cache has seen {seen} rows, the next tokens have {rows}")));
        }
        let run = &mut Run { active, ctx };
        let embedded = self.embed_tokens.forward(&input.ids, run)?;
        let mut h = run.active.apply(self.input, SiteInput::new(&embedded, embedded.clone()), run.ctx)?;
        let front = h.dim(1)? - length.min(h.dim(1)?);
        if !cache.is_empty() && front > 0 {
            h = h.narrow(1, front, length)?;
        }
        let mut tokens = match cache.is_empty() {
            true => vec![vec![true; front]; rows],
            false => cache.tokens.clone(),
        };
        tokens.iter_mut().zip(input.tokens()?).for_each(|(row, new)| row.extend(new));
        let columns = Columns { tokens: &tokens, queries: h.dim(1)?, window: self.config.sliding_window };
        let mut call = Call::new(columns, input.positions, &self.frequencies, &embedded);
        let mut blocks: Vec<KeyValues> = Vec::with_capacity(self.blocks.len());
        for (number, block) in self.blocks.iter().enumerate() {
            let mut past = cache.blocks.get(number).cloned();
            h = block.forward(&h, &mut past, &mut call, run)?;
            blocks.extend(past);
        }
        let hidden = self.norm.forward(&h, run)?;
        *cache = KvCache { blocks, tokens };
        Ok(hidden)
    }

    /// The scores of all words, `hidden [b, t, d]` to `[b, t, V]`. Training computes the loss from `hidden` and
    /// [`output_weight`](Self::output_weight) instead, without ever holding all scores.
    ///
    /// # Errors
    /// If the last dimension is not `d`; or as the methods at `lm_head`.
    pub fn logits(&self, hidden: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        match &self.lm_head {
            Some(head) => head.forward(hidden, &mut Run { active, ctx }),
            None => Ok(ops::linear(hidden, &self.embed_tokens.0.value, ctx.kernels())?),
        }
    }

    /// The output projection `[V, d]`: the embedding table if it is tied, otherwise `lm_head` with the methods there merged into it.
    ///
    /// # Errors
    /// If a method acts at `lm_head` that cannot be merged, or whose weights differ by row.
    pub fn output_weight(&self, active: &ActiveAdapters<'_>) -> Result<Tensor> {
        let Some(Linear(head)) = &self.lm_head else {
            return Ok(self.embed_tokens.0.value.clone());
        };
        let Some(site) = head.site.filter(|site| !active.is_idle(*site)) else {
            return Ok(head.value.clone());
        };
        match active.merge(site, &head.wide()?)? {
            Merge::Weight(weight) => Ok(weight),
            Merge::Refused(reason) => {
                Err(Error::Mismatch(format!("{reason}; the loss needs one output weight for the whole batch")))
            }
        }
    }

    pub(crate) fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        let own = [&mut self.embed_tokens.0, &mut self.norm.weight];
        let head = self.lm_head.iter_mut().map(|head| &mut head.0);
        own.into_iter().chain(self.blocks.iter_mut().flat_map(Block::weights_mut)).chain(head)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::DType;
    use peft_core::AdapterWeights;

    use super::*;
    use crate::testing::{
        adapter, bottlenecks, build, changes_of_weights, configs, fits, fronts, gap, input, logits, tail,
    };

    const ROWS: [&[u32]; 3] = [&[5, 9, 12, 7, 33, 60], &[8, 20, 41], &[11, 6, 21, 50]];

    /// The rows of `ROWS` with padding after them.
    fn padded_after() -> LlamaInput {
        let pad = |row: &&[u32], of: u32| (0..6).map(move |i| row.get(i).map_or(0, |id| id * of + 1 - of)).collect();
        let rows = |of| ROWS.iter().map(|row| pad(row, of)).collect::<Vec<Vec<u32>>>();
        let tensor = |rows: Vec<Vec<u32>>| Tensor::new(rows, &Device::Cpu).unwrap();
        LlamaInput::from_tensors(tensor(rows(1)), tensor(rows(0))).unwrap()
    }

    /// Every model with the bare backbone and with every method that fits it.
    fn everywhere(check: impl Fn(&Llama, &ActiveAdapters<'_>, &str)) {
        for config in configs() {
            let llama = build(&config);
            check(&llama, &ActiveAdapters::none(), "the bare backbone");
            for method in changes_of_weights().into_iter().chain(bottlenecks()).chain(fronts()) {
                if fits(&llama, &*method) {
                    let (plan, weights) = adapter(&llama, &*method, 3);
                    check(&llama, &ActiveAdapters::new(&plan, &weights).unwrap(), &format!("{config:?} {method:?}"));
                }
            }
        }
    }

    #[test]
    fn sites_are_named_after_the_modules_in_the_order_of_the_forward_pass() {
        let llama = build(&LlamaConfig::small());
        let sites: Vec<_> = llama.sites().iter().map(|s| (s.path.as_str(), s.role.as_str(), s.layer)).collect();
        let (first, rest) = sites.split_at(2);
        assert_eq!(first, [("model.embed_tokens", "embedding", 0), ("model.inputs_embeds", "input", 0)]);
        let second = sites.iter().position(|(path, ..)| path.starts_with("model.layers.1.")).unwrap();
        assert_eq!(rest.len(), 2 * 12 + 2);
        assert_eq!(
            sites[second..],
            [
                ("model.layers.1.input_layernorm", "self.norm", 1),
                ("model.layers.1.self_attn.q_proj", "self.q", 1),
                ("model.layers.1.self_attn.k_proj", "self.k", 1),
                ("model.layers.1.self_attn.v_proj", "self.v", 1),
                ("model.layers.1.self_attn.past_key_values", "self.kv", 1),
                ("model.layers.1.self_attn.o_proj", "self.o", 1),
                ("model.layers.1.self_attn", "self", 1),
                ("model.layers.1.post_attention_layernorm", "ffn.norm", 1),
                ("model.layers.1.mlp.gate_proj", "ffn.wi_0", 1),
                ("model.layers.1.mlp.up_proj", "ffn.wi_1", 1),
                ("model.layers.1.mlp.down_proj", "ffn.wo", 1),
                ("model.layers.1.mlp", "ffn", 1),
                ("model.norm", "final.norm", 1),
                ("lm_head", "lm_head", 1),
            ]
        );
        let kind = |path| llama.sites().iter().find(|site| site.path == path).unwrap().kind;
        assert_eq!(kind("model.layers.0.self_attn.k_proj"), SiteKind::Linear { d_in: 16, d_out: 12 });
        let key_values = SiteKind::KeyValue { dim: 12, queries: 16, heads: 2 };
        assert_eq!(kind("model.layers.0.self_attn.past_key_values"), key_values);
        assert_eq!(kind("model.embed_tokens"), SiteKind::Embedding { rows: 64, dim: 16 });
        let tied = build(&LlamaConfig { tie_word_embeddings: true, ..LlamaConfig::small() });
        assert!(tied.sites().find("lm_head").is_none());
    }

    #[test]
    fn padding_changes_nothing_wherever_it_is() {
        everywhere(|llama, active, what| {
            let [before, after] = [input(&ROWS), padded_after()].map(|input| logits(llama, &input, active));
            // A window counts padding, and a prefix may fall out of it sooner.
            let fronted = before.dim(1).unwrap() > 6 || what.contains("Prefix");
            if llama.config().sliding_window.is_some() && fronted {
                return;
            }
            for (row, tokens) in ROWS.iter().enumerate() {
                let alone = tail(&logits(llama, &input(&[tokens]), active), 0, tokens.len());
                let front = after.dim(1).unwrap() - 6;
                let of_after = after.narrow(0, row, 1).unwrap().narrow(1, front, tokens.len()).unwrap();
                for padded in [tail(&before, row, tokens.len()), of_after] {
                    let gap = gap(&padded, &alone);
                    assert!(gap < 1e-5, "{what}: row {row} differs by {gap:.1e}");
                }
            }
        });
    }

    #[test]
    fn padding_before_a_prefixed_text_changes_nothing_unless_columns_count() {
        let llama = build(&LlamaConfig::small());
        for method in fronts() {
            let (plan, weights) = adapter(&llama, &*method, 3);
            let active = ActiveAdapters::new(&plan, &weights).unwrap();
            let alone = logits(&llama, &input(&[ROWS[1]]), &active);
            let alone = tail(&alone, 0, 3);
            let padded = |positions| {
                let input = input(&ROWS).with_positions(positions);
                gap(&tail(&logits(&llama, &input, &active), 1, 3), &alone)
            };
            assert!(padded(crate::Positions::Tokens) < 1e-5, "{method:?}");
            assert!(padded(crate::Positions::Columns) > 1e-3, "{method:?}");
        }
    }

    #[test]
    fn token_by_token_is_the_whole_text_at_once() {
        everywhere(|llama, active, what| {
            for positions in [crate::Positions::Tokens, crate::Positions::Columns] {
                let whole = input(&ROWS).with_positions(positions);
                let expected = llama.hidden(&whole, active, &mut Ctx::eval()).unwrap();
                let mut cache = KvCache::new();
                let mut next = 0;
                let steps = [3, 1, 2].map(|length| {
                    let part = |t: &Tensor| t.narrow(1, next, length).unwrap().contiguous().unwrap();
                    let step = LlamaInput::from_tensors(part(&whole.ids), part(&whole.mask)).unwrap();
                    next += length;
                    llama.extend(&step.with_positions(positions), &mut cache, active, &mut Ctx::eval()).unwrap()
                });
                let found = Tensor::cat(&steps, 1).unwrap();
                assert_eq!(cache.len(), expected.dim(1).unwrap());
                // What padding computes is read by nobody.
                for (row, tokens) in ROWS.iter().enumerate() {
                    let gap = gap(&tail(&found, row, tokens.len()), &tail(&expected, row, tokens.len()));
                    assert!(gap < 1e-5, "{what}: row {row} differs by {gap:.1e}");
                }
            }
        });
    }

    #[test]
    fn rows_with_weights_of_their_own_compute_what_they_compute_alone() {
        for config in configs() {
            let llama = build(&config);
            for method in changes_of_weights().into_iter().chain(bottlenecks()).chain(fronts()) {
                if !fits(&llama, &*method) {
                    continue;
                }
                let (plan, one) = adapter(&llama, &*method, 3);
                let (_, other) = adapter(&llama, &*method, 5);
                let rows = AdapterWeights::rows(&[one.clone(), other.clone()], &[1, 0, 1]).unwrap();
                let active = |weights| ActiveAdapters::new(&plan, weights).unwrap();
                let input = |row: usize| {
                    let all = input(&ROWS);
                    let part = |t: &Tensor| t.narrow(0, row, 1).unwrap().contiguous().unwrap();
                    LlamaInput::from_tensors(part(&all.ids), part(&all.mask)).unwrap()
                };
                let mixed = logits(&llama, &crate::testing::input(&ROWS), &active(&rows));
                let alone = [(0, &other), (1, &one), (2, &other)];
                let alone = alone.map(|(row, weights)| logits(&llama, &input(row), &active(weights)));
                let gap = gap(&mixed, &Tensor::cat(&alone, 0).unwrap());
                assert!(gap < 2e-5, "{config:?} {method:?}: {gap:.1e}");
            }
        }
    }

    #[test]
    fn a_window_hides_what_is_far_and_nothing_else() {
        let mistral = build(&LlamaConfig { num_hidden_layers: 1, sliding_window: Some(3), ..LlamaConfig::small() });
        let none = ActiveAdapters::none();
        let last = |ids: &[u32]| tail(&logits(&mistral, &input(&[ids]), &none), 0, 1);
        // Three tokens back is outside, two are inside.
        assert!(gap(&last(&[5, 9, 12, 7]), &last(&[6, 9, 12, 7])) < 1e-6);
        assert!(gap(&last(&[5, 9, 12, 7]), &last(&[5, 8, 12, 7])) > 1e-3);
    }

    #[test]
    fn frozen_matrices_may_be_half_as_large() {
        let config = LlamaConfig::small();
        let half = Llama::new(&config, peft_core::random_weights(7, DType::BF16, &Device::Cpu)).unwrap();
        let types: Vec<DType> = half.clone().weights_mut().map(|weight| weight.value.dtype()).collect();
        assert_eq!(types.iter().filter(|dtype| **dtype == DType::BF16).count(), 2 * 7 + 2, "all matrices");
        let none = ActiveAdapters::none();
        let gap = gap(&logits(&half, &input(&ROWS), &none), &logits(&build(&config), &input(&ROWS), &none));
        assert!(gap > 1e-4 && gap < 0.2, "{gap}");
    }

    #[test]
    fn a_cache_of_other_rows_and_ids_outside_the_vocabulary_are_refused() {
        let llama = build(&LlamaConfig::small());
        let (none, mut cache) = (ActiveAdapters::none(), KvCache::new());
        llama.extend(&input(&ROWS), &mut cache, &none, &mut Ctx::eval()).unwrap();
        let error = llama.extend(&input(&[&[3]]), &mut cache, &none, &mut Ctx::eval()).unwrap_err().to_string();
        assert_eq!(error, "the cache has seen 3 rows, the next tokens have 1");
        let wrong = llama.extend(&input(&[&[3], &[64], &[3]]), &mut cache, &none, &mut Ctx::eval());
        assert!(wrong.is_err() && cache.len() == 6, "the cache is as it was");
        assert!(cache.select_rows(&[3], &Device::Cpu).unwrap_err().to_string().contains("row 3"));
    }
}
