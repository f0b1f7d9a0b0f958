//! The whole model: encoder, decoder and output projection.

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use peft_core::{ActiveAdapters, Ctx, Merge, SiteId, SiteInput, SiteKind, SiteRole, Sites, normal};
use peft_kernels as ops;

use super::attention::{Kind, Memory};
use super::bias::RelativeBias;
use super::builder::{BlockPath, Builder, inverse_sqrt};
use super::config::T5Config;
use super::mask;
use super::packed::Encoded;
use super::side::Side;
use super::stack::Stack;
use super::table::Table;
use super::terms::ScoreTerms;
use super::weights::TableFile;
use crate::error::{Error, Result};
use peft_core::layers::{Run, Weight};

/// T5 with its sites.
///
/// Shapes: `b` sentences, `s` source and `t` target tokens, `d = d_model`, `V` words. Token ids are `u32`.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use peft_t5::{T5, Weights, preset, shift_right};
/// use peft_core::{ActiveAdapters, Ctx};
///
/// let mut config = preset("t5-small").ok_or("no such preset")?;
/// (config.vocab_size, config.d_model, config.num_layers, config.num_decoder_layers) = (100, 16, 1, 1);
/// let t5 = T5::new(&config, Weights::random(0).var_builder(DType::F32, &Device::Cpu))?;
///
/// let ids = Tensor::new(&[[17u32, 4, 1], [9, 1, 0]], &Device::Cpu)?;
/// let mask = Tensor::new(&[[1u32, 1, 1], [1, 1, 0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[[5u32, 1], [8, 1]], &Device::Cpu)?;
/// let (active, mut ctx) = (ActiveAdapters::none(), Ctx::eval());
/// let encoded = t5.encode(&ids, &mask, &active, &mut ctx)?;
/// let decoder_ids = shift_right(&labels, config.decoder_start_token_id)?;
/// let hidden = t5.decode(&decoder_ids, &encoded, &active, &mut ctx)?;
/// assert_eq!(t5.logits(&hidden, &active, &mut ctx)?.dims(), [2, 2, 100]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct T5 {
    /// The folder or the name that the model was opened by.
    name: Option<String>,
    config: T5Config,
    sites: Sites,
    pub(super) shared: Table,
    pub(super) lm_head: Option<Weight>,
    pub(super) encoder: Stack,
    pub(super) decoder: Stack,
    pub(super) cross_bias: Option<RelativeBias>,
    /// The site where methods may put embeddings in front of the source.
    pub(super) input: SiteId,
}

impl T5 {
    /// The model of shape `config` with its parameters taken from `vb`, at the root of the Hugging Face
    /// names ([`Weights::var_builder`](super::Weights::var_builder)).
    ///
    /// If the type of `vb` is `bf16`, the matrices that do not train are held in it (linear maps, the embedding table, the
    /// output projection); norms, position biases, variables and everything that is computed are `f32`. If it is `u8`, linear
    /// maps have [eight bits](peft_kernels::quantize), tables and norms are `f32`, and no gradient passes the model.
    ///
    /// # Errors
    /// If a parameter is missing or has another shape than `config` says.
    pub fn new(config: &T5Config, vb: VarBuilder<'_>) -> Result<Self> {
        Self::with_table(config, None, vb)
    }

    /// Like [`new`](Self::new). If `left` is a file, the embedding table stays in it, frozen, and is read row by row.
    pub fn with_table(config: &T5Config, left: Option<TableFile>, vb: VarBuilder<'_>) -> Result<Self> {
        let mut builder = Builder::new(config, vb);
        let (table, d_model) = ([config.vocab_size, config.d_model], config.d_model);
        let name = "shared.weight".to_owned();
        let shared = match left {
            Some(file) => Table::left(name, file, builder.table_dtype()),
            None => Table::Held(builder.weight(name, &table, normal(1.))?),
        };
        let head = || builder.weight("lm_head.weight".to_owned(), &table, normal(inverse_sqrt(d_model)));
        let mut lm_head = (!config.tie_word_embeddings).then(head).transpose()?;
        let first = BlockPath { side: Side::Encoder, block: 0, layer: 0 };
        let input =
            builder.site("encoder.embed_tokens".to_owned(), first, SiteRole::INPUT, SiteKind::Input { dim: d_model });
        let encoder = Stack::new(&mut builder, Side::Encoder)?;
        let decoder = Stack::new(&mut builder, Side::Decoder)?;
        let cross_bias = config.cross_attention_bias.then(|| cross_bias(&builder)).transpose()?;
        if let Some(head) = &mut lm_head {
            let last = BlockPath { side: Side::Decoder, block: config.num_decoder_layers.saturating_sub(1), layer: 2 };
            let kind = SiteKind::Linear { d_in: d_model, d_out: config.vocab_size };
            head.site = Some(builder.site("lm_head".to_owned(), last, SiteRole::LM_HEAD, kind));
        }
        let sites = builder.sites;
        Ok(Self { name: None, config: config.clone(), sites, shared, lm_head, encoder, decoder, cross_bias, input })
    }

    /// The same model with another [`name`](Self::name()): a folder or a hub id from which it can be opened again.
    #[must_use]
    pub fn with_name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// The folder or the hub id that the model was opened from, if there is one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The places where methods may act, in the order of the forward pass.
    ///
    /// | site | path | role |
    /// |---|---|---|
    /// | linear map | its module | `self.q`, `self.k`, `self.v`, `self.o`, the same with `cross`, `ffn.wi` (or `ffn.wi_0` and `ffn.wi_1`), `ffn.wo` |
    /// | output of a sub-layer | `<stack>.block.<i>.layer.<j>` | `self`, `cross`, `ffn` |
    /// | norm | its module | `self.norm`, `cross.norm`, `ffn.norm`, `final.norm` |
    /// | keys and values | their attention | `self.kv`, `cross.kv` |
    /// | embedded source | `encoder.embed_tokens` | `input` |
    /// | output projection, if it is not tied | `lm_head` | `lm_head` |
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// The shape of the model.
    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// The encoder's output `[b, s, d]` for `ids [b, s]`; `mask [b, s]` is 1 where there is a token and 0 at padding.
    ///
    /// # Errors
    /// If an id is outside the vocabulary or a shape does not fit; or as the active methods do.
    pub fn encode(&self, ids: &Tensor, mask: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Encoded> {
        let embedded = self.shared.rows(ids, ctx)?;
        let embedded = active.apply(self.input, SiteInput::new(&embedded, embedded.clone()), ctx)?;
        let source = embedded.dim(1)?;
        let terms = self.encoder.terms(source, Some(&mask::with_front(mask, source)?), ctx)?;
        let mut h = ctx.dropout(&embedded, self.config.dropout_rate)?;
        let run = &mut Run { active, ctx };
        for block in &self.encoder.blocks {
            h = block.forward(&h, &terms, None, run)?;
        }
        Encoded::padded(self.encoder.finish(&h, run)?, mask.clone())
    }

    /// The decoder's output for whole target sentences: `decoder_ids [b, t]` and the encoder's output for the same `b`
    /// sentences ([`encode`](Self::encode)) give `[b, t, d]`, ready for [`output_weight`](Self::output_weight). Where that is
    /// the embedding table, the output is scaled by `1/√d`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the sentences were encoded without padding; otherwise as [`encode`](Self::encode).
    pub fn decode(
        &self,
        decoder_ids: &Tensor,
        encoded: &Encoded,
        active: &ActiveAdapters<'_>,
        ctx: &mut Ctx,
    ) -> Result<Tensor> {
        let targets = decoder_ids.dim(1)?;
        let terms = self.decoder.terms(targets, None, ctx)?;
        let padding = mask::padding(&encoded.mask()?, encoded.hidden().dtype())?;
        let cross_terms = self.cross_terms(padding, targets, ctx)?;
        let mut h = self.embed(decoder_ids, ctx)?;
        let run = &mut Run { active, ctx };
        for block in &self.decoder.blocks {
            let key_values = block.memory(encoded.hidden(), run)?;
            let memory = key_values.as_ref().map(|key_values| Memory { key_values, terms: &cross_terms });
            h = block.forward(&h, &terms, memory, run)?;
        }
        self.output(&h, run)
    }

    /// The scores of all words, `hidden [.., d]` to `[.., V]`. Training computes the loss from `hidden` and
    /// [`output_weight`](Self::output_weight) instead, without ever holding all scores.
    ///
    /// # Errors
    /// If the last dimension is not `d`; or as the methods at `lm_head`.
    pub fn logits(&self, hidden: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let head = self.output_projection()?;
        let scores = ops::linear(hidden, &head.value, ctx.kernels())?;
        Ok(head.apply(hidden, scores, &mut Run { active, ctx })?)
    }

    /// The output projection `[V, d]`: the embedding table if it is tied, otherwise `lm_head` with the methods there merged into it.
    ///
    /// # Errors
    /// If a method acts at `lm_head` that cannot be merged, or whose weights differ by row.
    pub fn output_weight(&self, active: &ActiveAdapters<'_>) -> Result<Tensor> {
        let head = self.output_projection()?;
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

    /// The device of the parameters.
    pub fn device(&self) -> &Device {
        self.shared.device()
    }

    fn output_projection(&self) -> Result<&Weight> {
        self.lm_head.as_ref().map_or_else(|| self.shared.whole(), Ok)
    }

    pub(super) fn embed(&self, ids: &Tensor, ctx: &mut Ctx) -> Result<Tensor> {
        let embedded = self.shared.rows(ids, ctx)?;
        Ok(ctx.dropout(&embedded, self.config.dropout_rate)?)
    }

    pub(super) fn output(&self, h: &Tensor, run: &mut Run<'_>) -> Result<Tensor> {
        let hidden = self.decoder.finish(h, run)?;
        match self.lm_head {
            Some(_) => Ok(hidden),
            None => Ok((hidden * inverse_sqrt(self.config.d_model))?),
        }
    }

    /// What cross-attention adds to the scores of `targets` positions, from the padding of the source.
    fn cross_terms(&self, padding: Tensor, targets: usize, ctx: &Ctx) -> Result<ScoreTerms> {
        let source = padding.dim(3)?;
        let bias = self.cross_bias.as_ref().map(|bias| bias.forward(0, targets, source, ctx)).transpose()?;
        Ok(ScoreTerms { bias, mask: Some(padding), relative: None })
    }
}

fn cross_bias(builder: &Builder<'_>) -> Result<RelativeBias> {
    let place = BlockPath { side: Side::Decoder, block: 0, layer: 1 };
    let path = format!("{}.{}", place.path(), Kind::CrossAttention.module());
    RelativeBias::new(builder, &path, true).map_err(|e| {
        Error::Config(format!(
            "{e}\ncross_attention_bias is on, but only checkpoints of transformers before version 4 hold that table; \
             turn it off"
        ))
    })
}

/// The decoder's input for `labels [b, t]`: `start`, then all labels but the last.
///
/// # Errors
/// If `labels` has not two dimensions.
pub fn shift_right(labels: &Tensor, start: u32) -> Result<Tensor> {
    let (batch, len) = labels.dims2()?;
    let starts = Tensor::full(start, (batch, 1), labels.device())?.to_dtype(labels.dtype())?;
    Ok(Tensor::cat(&[starts, labels.narrow(1, 0, len.saturating_sub(1))?], 1)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::DType;
    use peft_core::ParamStore;

    use super::*;
    use crate::testing::{self, batch, hidden, largest_difference, tiny, tiny_gated};
    use crate::{Trainable, Weights};

    const CPU: &Device = &Device::Cpu;

    #[test]
    fn sites_are_named_after_the_modules_in_the_order_of_the_forward_pass() {
        let t5 = testing::build(&tiny_gated());
        let sites: Vec<_> = t5.sites().iter().map(|s| (s.path.as_str(), s.role.as_str(), s.layer)).collect();
        let second_decoder_block = sites.iter().position(|(path, ..)| path.starts_with("decoder.block.1.")).unwrap();
        assert_eq!(
            sites[second_decoder_block..],
            [
                ("decoder.block.1.layer.0.layer_norm", "self.norm", 1),
                ("decoder.block.1.layer.0.SelfAttention.q", "self.q", 1),
                ("decoder.block.1.layer.0.SelfAttention.k", "self.k", 1),
                ("decoder.block.1.layer.0.SelfAttention.v", "self.v", 1),
                ("decoder.block.1.layer.0.SelfAttention", "self.kv", 1),
                ("decoder.block.1.layer.0.SelfAttention.o", "self.o", 1),
                ("decoder.block.1.layer.0", "self", 1),
                ("decoder.block.1.layer.1.layer_norm", "cross.norm", 1),
                ("decoder.block.1.layer.1.EncDecAttention.q", "cross.q", 1),
                ("decoder.block.1.layer.1.EncDecAttention.k", "cross.k", 1),
                ("decoder.block.1.layer.1.EncDecAttention.v", "cross.v", 1),
                ("decoder.block.1.layer.1.EncDecAttention", "cross.kv", 1),
                ("decoder.block.1.layer.1.EncDecAttention.o", "cross.o", 1),
                ("decoder.block.1.layer.1", "cross", 1),
                ("decoder.block.1.layer.2.layer_norm", "ffn.norm", 1),
                ("decoder.block.1.layer.2.DenseReluDense.wi_0", "ffn.wi_0", 1),
                ("decoder.block.1.layer.2.DenseReluDense.wi_1", "ffn.wi_1", 1),
                ("decoder.block.1.layer.2.DenseReluDense.wo", "ffn.wo", 1),
                ("decoder.block.1.layer.2", "ffn", 1),
                ("decoder.final_layer_norm", "final.norm", 1),
                ("lm_head", "lm_head", 1),
            ]
        );
        let kind = |path| t5.sites().iter().find(|site| site.path == path).unwrap().kind;
        assert_eq!(kind("encoder.block.0.layer.0.SelfAttention.q"), SiteKind::Linear { d_in: 16, d_out: 12 });
        assert_eq!(kind("encoder.block.0.layer.0"), SiteKind::SubLayer { dim: 16 });
        assert_eq!(kind("encoder.embed_tokens"), SiteKind::Input { dim: 16 });
    }

    #[test]
    fn padding_changes_nothing() {
        let t5 = testing::build(&tiny());
        let (none, mut ctx) = (ActiveAdapters::none(), Ctx::eval());
        let (ids, mask, _) = batch();
        let encoded = t5.encode(&ids, &mask, &none, &mut ctx).unwrap();
        let (row, len) = (1, 4); // the second sentence has four tokens
        let one = |t: &Tensor| t.narrow(0, row, 1).unwrap();
        let alone = |t: &Tensor| t.narrow(0, row, 1).unwrap().narrow(1, 0, len).unwrap().contiguous().unwrap();
        let unpadded = t5.encode(&alone(&ids), &alone(&mask), &none, &mut ctx).unwrap();
        assert!(largest_difference(&alone(encoded.hidden()), unpadded.hidden()) < 1e-5);

        let decoder_ids = Tensor::new(&[[0u32, 5, 9]], CPU).unwrap();
        let long_memory = Encoded::padded(one(encoded.hidden()), one(&mask)).unwrap();
        let padded = t5.decode(&decoder_ids, &long_memory, &none, &mut ctx).unwrap();
        let short = t5.decode(&decoder_ids, &unpadded, &none, &mut ctx).unwrap();
        assert!(largest_difference(&padded, &short) < 1e-5);
    }

    #[test]
    fn only_trainable_norms_receive_gradients_and_each_one_does() {
        let store = ParamStore::new(0, CPU);
        let vb = Weights::random(1).trainable(Trainable::Norms, &store).var_builder(DType::F32, CPU);
        let t5 = T5::new(&tiny_gated(), vb).unwrap();
        let loss = t5
            .logits(&hidden(&t5, &ActiveAdapters::none(), &mut Ctx::eval()), &ActiveAdapters::none(), &mut Ctx::eval())
            .unwrap()
            .sqr()
            .unwrap()
            .sum_all()
            .unwrap();
        let grads = loss.backward().unwrap();
        assert_eq!(store.vars().len(), 12);
        for (name, var) in store.vars() {
            let grad = grads.get(&var).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(grad > 0., "{name}");
        }
    }

    #[test]
    fn training_drops_by_the_seed_and_evaluation_does_not() {
        let t5 = testing::build(&tiny());
        let run = |mut ctx: Ctx| hidden(&t5, &ActiveAdapters::none(), &mut ctx);
        assert_eq!(largest_difference(&run(Ctx::train(1, 2)), &run(Ctx::train(1, 2))), 0.);
        assert!(largest_difference(&run(Ctx::train(1, 2)), &run(Ctx::train(1, 3))) > 0.);
        assert!(largest_difference(&run(Ctx::train(1, 2)), &run(Ctx::eval())) > 0.);
    }

    #[test]
    fn labels_shift_right_after_the_start_token() {
        let labels = Tensor::new(&[[5u32, 6, 1], [7, 1, 0]], CPU).unwrap();
        let shifted = shift_right(&labels, 3).unwrap();
        assert_eq!(shifted.to_vec2::<u32>().unwrap(), [[3, 5, 6], [3, 7, 1]]);
    }
}
