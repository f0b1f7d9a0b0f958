//! A small backbone with sites of every kind.

use candle_core::{D, DType, Device, Tensor};

use super::backbone::{ROWS, TestBackbone};
use crate::rng::{Stream, stream_of};
use crate::{
    ActiveAdapters, Ctx, Error, Residual, Result, Site, SiteId, SiteInput, SiteKind, SiteRole, Sites, Stack, States,
    initial, normal,
};
use peft_kernels::{self as ops, Kernels};

/// Features of the stream, of the attention and of the feed-forward block.
const D_MODEL: usize = 8;
const INNER: usize = 6;
const HEADS: usize = 2;
const D_FF: usize = 12;
/// Tokens of a row.
const LENGTH: usize = 4;

/// An encoder block and then a decoder block with fixed random weights: norm, attention, norm and feed-forward. It has sites of
/// every [`SiteKind`], with the names that T5 uses.
#[derive(Debug, Clone)]
pub struct Toy {
    sites: Sites,
    tokens: Tensor,
    input: SiteId,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
struct Weight {
    value: Tensor,
    /// `None` after a merge.
    site: Option<SiteId>,
}

#[derive(Debug, Clone)]
struct Block {
    norms: [Weight; 2],
    /// q, k, v, o, wi, wo
    maps: [Weight; 6],
    /// Where methods put positions in front of keys and values.
    key_values: SiteId,
    hidden: [SiteId; 2],
}

/// Names sites and makes weights.
struct Maker {
    sites: Sites,
    seed: u64,
    stack: Stack,
}

impl Maker {
    fn site(&mut self, path: String, role: SiteRole, kind: SiteKind) -> SiteId {
        self.sites.add(Site { path, stack: self.stack.clone(), layer: 0, role, kind, bias: false })
    }

    fn random(&self, name: &str, dims: &[usize], stdev: f64) -> Result<Tensor> {
        initial(Stream::new(self.seed, stream_of(name)), &dims.into(), normal(stdev), &Device::Cpu)
    }

    fn linear(&mut self, path: &str, role: SiteRole, d_in: usize, d_out: usize) -> Result<Weight> {
        let value = self.random(path, &[d_out, d_in], 1. / (d_in as f64).sqrt())?;
        let site = self.site(path.to_owned(), role, SiteKind::Linear { d_in, d_out });
        Ok(Weight { value, site: Some(site) })
    }

    fn norm(&mut self, path: &str, role: SiteRole) -> Result<Weight> {
        let value = (self.random(path, &[D_MODEL], 0.1)? + 1.)?;
        let site = self.site(path.to_owned(), role, SiteKind::Norm { dim: D_MODEL });
        Ok(Weight { value, site: Some(site) })
    }

    fn block(&mut self) -> Result<Block> {
        let root = format!("{}.block.0.layer", self.stack);
        let (attention, ff) = (format!("{root}.0.SelfAttention"), format!("{root}.1.DenseReluDense"));
        let first = self.norm(&format!("{root}.0.layer_norm"), SiteRole::SELF_NORM)?;
        let q = self.linear(&format!("{attention}.q"), SiteRole::SELF_Q, D_MODEL, INNER)?;
        let k = self.linear(&format!("{attention}.k"), SiteRole::SELF_K, D_MODEL, INNER)?;
        let v = self.linear(&format!("{attention}.v"), SiteRole::SELF_V, D_MODEL, INNER)?;
        let kind = SiteKind::KeyValue { dim: INNER, queries: D_MODEL, heads: HEADS };
        let key_values = self.site(attention.clone(), SiteRole::SELF_KEY_VALUES, kind);
        let o = self.linear(&format!("{attention}.o"), SiteRole::SELF_O, INNER, D_MODEL)?;
        let hidden = SiteKind::SubLayer { dim: D_MODEL };
        let own = self.site(format!("{root}.0"), SiteRole::SELF_ATTENTION, hidden);
        let second = self.norm(&format!("{root}.1.layer_norm"), SiteRole::FEED_FORWARD_NORM)?;
        let wi = self.linear(&format!("{ff}.wi"), SiteRole::FEED_FORWARD_WI, D_MODEL, D_FF)?;
        let wo = self.linear(&format!("{ff}.wo"), SiteRole::FEED_FORWARD_WO, D_FF, D_MODEL)?;
        let hidden = [own, self.site(format!("{root}.1"), SiteRole::FEED_FORWARD, hidden)];
        Ok(Block { norms: [first, second], maps: [q, k, v, o, wi, wo], key_values, hidden })
    }
}

impl Toy {
    /// The backbone with the weights of `seed`.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn new(seed: u64) -> Result<Self> {
        let mut maker = Maker { sites: Sites::default(), seed, stack: Stack::ENCODER };
        let input = maker.site("encoder.embed_tokens".into(), SiteRole::INPUT, SiteKind::Input { dim: D_MODEL });
        let encoder = maker.block()?;
        maker.stack = Stack::DECODER;
        let decoder = maker.block()?;
        let tokens = maker.random("tokens", &[ROWS, LENGTH, D_MODEL], 1.)?;
        Ok(Self { sites: maker.sites, tokens, input, blocks: vec![encoder, decoder] })
    }

    /// These rows of the batch.
    fn rows(&self, rows: &[usize]) -> Result<Tensor> {
        let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        Ok(self.tokens.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)?)
    }

    /// The weights that methods may be merged into.
    fn weights_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        self.blocks.iter_mut().flat_map(|block| block.norms.iter_mut().chain(&mut block.maps))
    }
}

impl TestBackbone for Toy {
    fn sites(&self) -> &Sites {
        &self.sites
    }

    fn run(&self, rows: &[usize], active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let x = self.rows(rows)?;
        let mut h = active.apply(self.input, SiteInput::new(&x, x.clone()), ctx)?;
        for block in &self.blocks {
            h = block.forward(&h, active, ctx)?;
        }
        // Positions that methods put in front are not part of the output.
        let length = h.dim(1)?;
        Ok(h.narrow(1, length - LENGTH, LENGTH)?.contiguous()?)
    }

    fn states(&self, stack: &Stack, rows: &[usize], ctx: &mut Ctx) -> Result<States> {
        let [encoder, ..] = self.blocks.as_slice() else {
            return Err(Error::Mismatch("the toy backbone has lost its blocks".into()));
        };
        if *stack != Stack::ENCODER {
            return Err(Error::Mismatch(format!("the toy backbone gives the output of the encoder, not of {stack}")));
        }
        let hidden = encoder.forward(&self.rows(rows)?, &ActiveAdapters::none(), ctx)?;
        let mask = Tensor::ones((rows.len(), LENGTH), DType::U32, &Device::Cpu)?;
        States::new(stack.clone(), hidden, mask)
    }

    fn merge(&self, active: &ActiveAdapters<'_>) -> Result<(Box<dyn TestBackbone>, usize)> {
        let mut merged = self.clone();
        let mut sites = 0;
        for weight in merged.weights_mut() {
            if let Some(site) = weight.site.filter(|site| !active.is_idle(*site))
                && let Some(value) = active.merge(site, &weight.value)?.weight()
            {
                (weight.value, weight.site) = (value.detach(), None);
                sites += 1;
            }
        }
        Ok((Box::new(merged), sites))
    }
}

impl Weight {
    fn apply(&self, input: &Tensor, output: Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        match self.site {
            Some(site) => active.apply(site, SiteInput::new(input, output).base(&self.value), ctx),
            None => Ok(output),
        }
    }

    fn linear(&self, x: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        match self.site {
            Some(site) => active.linear(site, x, &self.value, ctx),
            None => Ok(ops::linear(x, &self.value, ctx.kernels())?),
        }
    }

    fn norm(&self, x: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let ones = Tensor::ones(D_MODEL, DType::F32, &Device::Cpu)?;
        let normed = ops::rms_norm(x, &ones, 1e-6, Kernels::Plain)?;
        self.apply(&normed, normed.broadcast_mul(&self.value)?, active, ctx)
    }
}

impl Block {
    fn forward(&self, h: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [first, second] = &self.norms;
        let [.., wi, wo] = &self.maps;
        let [own, ffn] = self.hidden;
        let y = self.attend(&first.norm(h, active, ctx)?, active, ctx)?;
        let h = active.residual(own, Residual { h, y, dropout: 0. }, ctx)?;
        let x = second.norm(&h, active, ctx)?;
        let y = wo.linear(&wi.linear(&x, active, ctx)?.relu()?, active, ctx)?;
        active.residual(ffn, Residual { h: &h, y, dropout: 0. }, ctx)
    }

    /// Attention with one head. Its sites still say that two heads share the features.
    fn attend(&self, x: &Tensor, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        let [q, k, v, o, ..] = &self.maps;
        let key_values = Tensor::cat(&[k.linear(x, active, ctx)?, v.linear(x, active, ctx)?], D::Minus1)?;
        let expected = key_values.dim(1)? + active.prefixes(self.key_values).map(|prefix| prefix.length).sum::<usize>();
        let key_values = active.apply(self.key_values, SiteInput::new(x, key_values), ctx)?;
        if key_values.dim(D::Minus1)? != 2 * INNER {
            return Err(Error::Mismatch("keys and values have changed their features".into()));
        }
        if key_values.dim(1)? != expected {
            return Err(Error::Mismatch(format!(
                "there are {} keys after the methods, and their `prefixes` declare {expected}",
                key_values.dim(1)?
            )));
        }
        let half = |first| key_values.narrow(D::Minus1, first, INNER)?.contiguous();
        let (k, v) = (half(0)?, half(INNER)?);
        let scores = q.linear(x, active, ctx)?.matmul(&k.transpose(1, 2)?.contiguous()?)?;
        let weights = ops::softmax(&scores, Kernels::Plain)?;
        o.linear(&weights.matmul(&v)?, active, ctx)
    }
}
