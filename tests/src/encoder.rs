//! An encoder as a user writes it for candle: it knows nothing of methods or sites.

use candle_core::{D, Device, Module, Result, Tensor};
use peft_core::{ParamStore, Wrapped};
use peft_kernels::nn::{Embedding, LayerNorm, Linear, VarBuilder, embedding, layer_norm, linear, ops};

/// The words of the vocabulary, and the kinds of tags.
pub const WORDS: usize = 24;
/// See [`WORDS`].
pub const TAGS: usize = 3;
const HIDDEN: usize = 8;
const INNER: usize = 12;
const HEADS: usize = 2;
const LAYERS: usize = 2;
const POSITIONS: usize = 8;

/// Token numbers `[batch, length]` and a tag for each, `[batch, length]`.
pub type Batch = (Tensor, Tensor);

/// BERT's layers with biases everywhere and its names, and a head of tags.
#[derive(Debug)]
pub struct Encoder {
    words: Embedding,
    positions: Embedding,
    norm: LayerNorm,
    layers: Vec<Layer>,
    classifier: Linear,
}

#[derive(Debug)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm: LayerNorm,
    up: Linear,
    down: Linear,
    last: LayerNorm,
}

impl Encoder {
    /// The encoder with the weights of `vb`.
    ///
    /// # Errors
    /// If `vb` lacks a weight.
    pub fn new(vb: VarBuilder<'_>) -> Result<Self> {
        let tables = vb.pp("embeddings");
        Ok(Self {
            words: embedding(WORDS, HIDDEN, tables.pp("word_embeddings"))?,
            positions: embedding(POSITIONS, HIDDEN, tables.pp("position_embeddings"))?,
            norm: layer_norm(HIDDEN, 1e-5, tables.pp("LayerNorm"))?,
            layers: (0..LAYERS).map(|n| Layer::new(&vb.pp("encoder.layer").pp(n))).collect::<Result<_>>()?,
            classifier: linear(HIDDEN, TAGS, vb.pp("classifier"))?,
        })
    }

    /// `[batch, length, TAGS]`.
    ///
    /// # Errors
    /// If a token is not in the vocabulary, or there are too many.
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let positions = Tensor::arange(0, ids.dim(1)? as u32, ids.device())?;
        let x = self.words.forward(ids)?.broadcast_add(&self.positions.forward(&positions)?)?;
        let x = self.layers.iter().try_fold(self.norm.forward(&x)?, |x, layer| layer.forward(&x))?;
        self.classifier.forward(&x)
    }

    /// The cross-entropy of tags.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn loss(&self, (ids, tags): &Batch) -> Result<Tensor> {
        candle_nn::loss::cross_entropy(&self.forward(ids)?.flatten_to(1)?, &tags.flatten_all()?)
    }
}

impl Layer {
    fn new(vb: &VarBuilder<'_>) -> Result<Self> {
        let square = |name: &str| linear(HIDDEN, HIDDEN, vb.pp("attention").pp(name));
        let norm = |name: &str| layer_norm(HIDDEN, 1e-5, vb.pp(name));
        Ok(Self {
            query: square("self.query")?,
            key: square("self.key")?,
            value: square("self.value")?,
            output: square("output.dense")?,
            norm: norm("attention.output.LayerNorm")?,
            up: linear(HIDDEN, INNER, vb.pp("intermediate.dense"))?,
            down: linear(INNER, HIDDEN, vb.pp("output.dense"))?,
            last: norm("output.LayerNorm")?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, length, _) = x.dims3()?;
        let heads = |map: &Linear| map.forward(x)?.reshape((batch, length, HEADS, ()))?.transpose(1, 2)?.contiguous();
        let scores = (heads(&self.query)?.matmul(&heads(&self.key)?.t()?)? / (HIDDEN as f64 / HEADS as f64).sqrt())?;
        let mixed = ops::softmax_last_dim(&scores)?.matmul(&heads(&self.value)?)?;
        let mixed = mixed.transpose(1, 2)?.flatten_from(D::Minus2)?;
        let x = self.norm.forward(&(self.output.forward(&mixed)? + x)?)?;
        let y = self.down.forward(&self.up.forward(&x)?.gelu_erf()?)?;
        self.last.forward(&(y + x)?)
    }
}

/// The encoder with seeded random weights, wrapped, for tags.
///
/// # Errors
/// Never: it makes what it asks for.
pub fn wrapped() -> peft_core::Result<Wrapped<Encoder, Batch>> {
    let weights = ParamStore::new(11, &Device::Cpu).var_builder();
    Ok(Wrapped::new(weights, Encoder::new)?.loss(|encoder, batch, _| encoder.loss(batch)))
}

/// Two sentences with tags.
///
/// # Errors
/// Never.
pub fn batch() -> Result<Batch> {
    let ids = Tensor::new(&[[3u32, 17, 9, 4, 2], [21, 5, 5, 8, 0]], &Device::Cpu)?;
    Ok((ids, Tensor::new(&[[0u32, 1, 2, 0, 0], [1, 2, 2, 1, 0]], &Device::Cpu)?))
}
