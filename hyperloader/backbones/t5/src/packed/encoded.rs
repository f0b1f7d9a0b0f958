//! The encoder's output, with or without padding.

use std::ops::Range;

use candle_core::{DType, Tensor};
use peft_core::{Stack, States};
use peft_kernels::{PackedKeys, transfer};

use crate::error::{Error, Result};
use crate::mask;

/// The encoder's output for some sentences: what [`T5::encode`](crate::T5::encode) and
/// [`T5::encode_packed`](crate::T5::encode_packed) give.
#[derive(Debug, Clone)]
pub struct Encoded {
    hidden: Tensor,
    layout: Layout,
}

/// The order of sentences in the encoder's output.
#[derive(Debug, Clone)]
enum Layout {
    /// One sentence after the other, `[1, tokens, d]`: the range of each.
    Packed(Vec<Range<usize>>),
    /// A row for each sentence, `[b, s, d]`, with the mask `[b, s]`: 1 where there is a token.
    Padded(Tensor),
}

impl Encoded {
    /// The hidden states `[b, s, d]` with the mask of the source, `[b, s]`: 1 where there is a token and 0 at padding. `s` may
    /// be more than the mask has, where a method put positions in front of the source.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is not a mask for each sentence.
    pub fn padded(hidden: Tensor, mask: Tensor) -> Result<Self> {
        let (sentences, masks) = (hidden.dims3()?.0, mask.dims2()?.0);
        if sentences != masks {
            return Err(Error::Mismatch(format!("{sentences} sentences were encoded, {masks} have a mask")));
        }
        Ok(Self { hidden, layout: Layout::Padded(mask) })
    }

    pub(crate) fn packed(hidden: Tensor, sentences: Vec<Range<usize>>) -> Self {
        Self { hidden, layout: Layout::Packed(sentences) }
    }

    /// The encoder's output as generators see it, a row for each sentence with its mask.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn states(&self) -> Result<States> {
        let (hidden, mask) = match &self.layout {
            Layout::Padded(_) => (self.hidden.clone(), self.mask()?),
            Layout::Packed(sentences) => unpack(&self.hidden, sentences)?,
        };
        Ok(States::new(Stack::ENCODER, hidden, mask)?)
    }

    /// The encoder's output that a generator saw, for the rest of the forward pass.
    ///
    /// # Errors
    /// As [`padded`](Self::padded).
    pub fn from_states(states: &States) -> Result<Self> {
        Self::padded(states.hidden().clone(), states.mask().clone())
    }

    /// How many sentences there are.
    pub fn sentences(&self) -> usize {
        let padded = || self.hidden.dims().first().copied().unwrap_or_default();
        self.ranges().map_or_else(padded, <[_]>::len)
    }

    /// The hidden states: `[b, s, d]`, or `[1, tokens, d]` without padding.
    pub fn hidden(&self) -> &Tensor {
        &self.hidden
    }

    /// Where each sentence is in the hidden states without padding; `None` where they are padded.
    pub fn ranges(&self) -> Option<&[Range<usize>]> {
        match &self.layout {
            Layout::Packed(sentences) => Some(sentences),
            Layout::Padded(_) => None,
        }
    }

    /// The mask `[b, s]` of padded sentences, with what methods put in front.
    pub(crate) fn mask(&self) -> Result<Tensor> {
        match &self.layout {
            Layout::Padded(mask) => mask::with_front(mask, self.hidden.dim(1)?),
            Layout::Packed(_) => Err(Error::Mismatch(
                "the sentences were encoded without padding (encode_packed), decode reads a padded batch (encode); use \
                 decode_packed"
                    .into(),
            )),
        }
    }

    /// What attention to them needs.
    pub(crate) fn terms(&self) -> Result<Sentences> {
        if let Layout::Packed(sentences) = &self.layout {
            return Ok(Sentences::Packed(sentences.clone()));
        }
        let (count, source, _) = self.hidden.dims3()?;
        let terms = mask::padding(&self.mask()?, DType::F32)?;
        Ok(Sentences::Padded { count, source, mask: transfer::download(&terms)? })
    }
}

/// Sentences one after the other, `[1, tokens, d]`, as rows of one length `[b, s, d]`, with their mask `[b, s]`. At padding a row
/// repeats the first token of all, which the mask hides.
fn unpack(hidden: &Tensor, sentences: &[Range<usize>]) -> Result<(Tensor, Tensor)> {
    let longest = sentences.iter().map(Range::len).max().unwrap_or_default();
    let (mut tokens, mut mask) = (Vec::new(), Vec::new());
    for sentence in sentences {
        let padding = longest - sentence.len();
        tokens.extend(sentence.clone().map(|token| token as u32).chain(std::iter::repeat_n(0, padding)));
        mask.extend(std::iter::repeat_n(1u32, sentence.len()).chain(std::iter::repeat_n(0, padding)));
    }
    let (device, shape, d) = (hidden.device(), (sentences.len(), longest), hidden.dim(2)?);
    let count = tokens.len();
    let tokens = transfer::upload(tokens, count, device)?;
    let rows = hidden.squeeze(0)?.index_select(&tokens, 0)?.reshape((sentences.len(), longest, d))?;
    Ok((rows, transfer::upload(mask, shape, device)?))
}

/// The order of the keys of the encoder's output, and what is added to their scores.
#[derive(Debug)]
pub(crate) enum Sentences {
    Packed(Vec<Range<usize>>),
    Padded {
        count: usize,
        source: usize,
        /// `[count, source]`
        mask: Vec<f32>,
    },
}

impl Sentences {
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Packed(sentences) => sentences.len(),
            Self::Padded { count, .. } => *count,
        }
    }

    /// The number of tokens of the longest sentence.
    pub(crate) fn longest(&self) -> usize {
        match self {
            Self::Packed(sentences) => sentences.iter().map(Range::len).max().unwrap_or_default(),
            Self::Padded { source, .. } => *source,
        }
    }

    /// The sentences numbered `kept`, in that order.
    pub(crate) fn select(&self, kept: &[u32]) -> Result<Self> {
        let missing = || Error::Mismatch(format!("one of the sentences {kept:?} was kept of {}", self.count()));
        match self {
            Self::Packed(sentences) => {
                let range = |&i: &u32| sentences.get(i as usize).cloned().ok_or_else(missing);
                Ok(Self::Packed(kept.iter().map(range).collect::<Result<_>>()?))
            }
            Self::Padded { source, mask, .. } => {
                let of = |&i: &u32| mask.get(i as usize * source..(i as usize + 1) * source).ok_or_else(missing);
                let mask = kept.iter().map(of).collect::<Result<Vec<_>>>()?.concat();
                Ok(Self::Padded { count: kept.len(), source: *source, mask })
            }
        }
    }

    /// The keys that `rows` rows of each sentence attend to.
    pub(crate) fn keys(&self, rows: usize) -> PackedKeys<'_> {
        match self {
            Self::Packed(sentences) => PackedKeys::Packed { rows, sentences },
            Self::Padded { .. } => PackedKeys::Source { rows, prefix: 0 },
        }
    }

    pub(crate) fn mask(&self) -> &[f32] {
        match self {
            Self::Packed(_) => &[],
            Self::Padded { mask, .. } => mask,
        }
    }
}
