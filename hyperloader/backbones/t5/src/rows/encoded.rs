//! Sentences through the encoder, without padding where nothing needs it.

use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use peft_core::{ActiveAdapters, Ctx};

use super::{Keys, PackedTerms, Place, Places};
use crate::{Error, Result};
use crate::{T5, mask};

/// The encoder's output for some sentences, for [`T5::start_packed`].
#[derive(Debug, Clone)]
pub struct Encoded {
    hidden: Tensor,
    layout: Layout,
}

/// How sentences lie in the encoder's output.
#[derive(Debug, Clone)]
enum Layout {
    /// One behind the other, `[1, tokens, d]`: where each is.
    Packed(Vec<Range<usize>>),
    /// Side by side, `[b, s, d]`, with the mask `[b, s]`: 1 where there is a token.
    Padded(Tensor),
}

impl Encoded {
    /// What [`T5::encode`] gave, `[b, s, d]`, with its mask `[b, s]`.
    ///
    /// # Errors
    /// [`Error::Config`] if there is not a mask for each sentence.
    pub fn padded(hidden: Tensor, mask: Tensor) -> Result<Self> {
        let (sentences, masks) = (hidden.dims3()?.0, mask.dims2()?.0);
        if sentences != masks {
            return Err(Error::Mismatch(format!("{sentences} sentences were encoded, {masks} have a mask")));
        }
        Ok(Self { hidden, layout: Layout::Padded(mask) })
    }

    /// How many sentences there are.
    pub fn sentences(&self) -> usize {
        match &self.layout {
            Layout::Packed(sentences) => sentences.len(),
            Layout::Padded(_) => self.hidden.dims().first().copied().unwrap_or_default(),
        }
    }

    pub(super) fn hidden(&self) -> &Tensor {
        &self.hidden
    }

    /// What attention to them needs.
    pub(super) fn terms(&self) -> Result<Sentences> {
        let mask = match &self.layout {
            Layout::Packed(sentences) => return Ok(Sentences::Packed(sentences.clone())),
            Layout::Padded(mask) => mask,
        };
        let (count, source, _) = self.hidden.dims3()?;
        let terms = mask::padding(&mask::with_front(mask, source)?, DType::F32)?;
        Ok(Sentences::Padded { count, source, mask: terms.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()? })
    }
}

/// How the keys of the encoder's output lie, and what is added to their scores.
#[derive(Debug)]
pub(super) enum Sentences {
    Packed(Vec<Range<usize>>),
    Padded {
        count: usize,
        source: usize,
        /// `[count, source]`
        mask: Vec<f32>,
    },
}

impl Sentences {
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Packed(sentences) => sentences.len(),
            Self::Padded { count, .. } => *count,
        }
    }

    /// The most tokens of one.
    pub(super) fn longest(&self) -> usize {
        match self {
            Self::Packed(sentences) => sentences.iter().map(Range::len).max().unwrap_or_default(),
            Self::Padded { source, .. } => *source,
        }
    }

    /// The keys that `rows` rows of each sentence attend to.
    pub(super) fn keys(&self, rows: usize) -> Keys<'_> {
        match self {
            Self::Packed(sentences) => Keys::Packed { rows, sentences },
            Self::Padded { .. } => Keys::Source { rows, front: 0 },
        }
    }

    pub(super) fn mask(&self) -> &[f32] {
        match self {
            Self::Packed(_) => &[],
            Self::Padded { mask, .. } => mask,
        }
    }
}

impl T5 {
    /// The encoder's output for sentences of any lengths, each as [`encode`](Self::encode) would give it alone.
    ///
    /// The tokens of all sentences go through the network one behind the other, without padding, except where a method acts
    /// that tells rows apart or puts something in front of them: then they are padded.
    ///
    /// # Errors
    /// If an id lies outside the vocabulary, or all sentences are empty; or as the active methods do.
    pub fn encode_packed(&self, sentences: &[&[u32]], active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Encoded> {
        if !(self.encoder.takes_rows(active) && self.decoder.takes_rows(active) && active.is_idle(self.input)) {
            return self.encode_padded(sentences, active, ctx);
        }
        let mut packed = Vec::with_capacity(sentences.len());
        let mut places = Vec::new();
        for (row, ids) in sentences.iter().enumerate() {
            packed.push(places.len()..places.len() + ids.len());
            places.extend((0..ids.len()).map(|position| Some(Place { row, position })));
        }
        let places = Places(places);
        let far = places.end().saturating_sub(1);
        let bias = self.encoder.bias.offsets(far, far)?;
        let keys = Keys::Packed { rows: 1, sentences: &packed };
        let terms = PackedTerms { places: &places, keys, bias: Some(&bias), later: 0, mask: &[], relative: None };
        let ids = Tensor::new(sentences.concat(), self.device())?.unsqueeze(0)?;
        let mut h = self.embed(&ids, ctx)?;
        for block in &self.encoder.blocks {
            h = block.forward_packed(&h, &terms, None, None, None, active, ctx)?;
        }
        Ok(Encoded { hidden: self.encoder.finish(&h, active, ctx)?, layout: Layout::Packed(packed) })
    }

    fn encode_padded(&self, sentences: &[&[u32]], active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Encoded> {
        let longest = sentences.iter().map(|ids| ids.len()).max().unwrap_or_default();
        let pad = self.config().pad_token_id;
        let padded =
            |ids: &&[u32]| ids.iter().copied().chain(std::iter::repeat(pad)).take(longest).collect::<Vec<u32>>();
        let ids: Vec<u32> = sentences.iter().flat_map(padded).collect();
        let mask = |ids: &&[u32]| (0..longest).map(|at| u32::from(at < ids.len())).collect::<Vec<u32>>();
        let mask: Vec<u32> = sentences.iter().flat_map(mask).collect();
        let shape = (sentences.len(), longest);
        let (ids, mask) = (Tensor::from_vec(ids, shape, self.device())?, Tensor::from_vec(mask, shape, self.device())?);
        Encoded::padded(self.encode(&ids, &mask, active, ctx)?, mask)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use peft_kernels::Kernels;

    use super::*;
    use crate::testing::{self, batch, behind, configs, everywhere, largest_difference, scaled, sentences};

    #[test]
    fn sentences_without_padding_are_encoded_as_padded_ones() {
        for config in configs() {
            let t5 = testing::build(&config);
            let (plan, weights) = scaled(&t5, behind());
            for active in [ActiveAdapters::none(), ActiveAdapters::new(&plan, &weights).unwrap()] {
                for kernels in [Kernels::Fused, Kernels::Plain] {
                    let mut ctx = Ctx::eval().with_kernels(kernels);
                    let (ids, mask, _) = batch();
                    let expected = t5.encode(&ids, &mask, &active, &mut ctx).unwrap();
                    let sentences = sentences();
                    let slices: Vec<&[u32]> = sentences.iter().map(Vec::as_slice).collect();
                    let found = t5.encode_packed(&slices, &active, &mut ctx).unwrap();
                    let ranges = match &found.layout {
                        Layout::Packed(ranges) => ranges.as_slice(),
                        Layout::Padded(_) => &[],
                    };
                    assert_eq!((found.sentences(), ranges.len()), (sentences.len(), sentences.len()));
                    assert_eq!(found.hidden.dim(1).unwrap(), sentences.concat().len());
                    for (row, range) in ranges.iter().enumerate() {
                        let own = found.hidden.narrow(1, range.start, range.len()).unwrap();
                        let expected = expected.narrow(0, row, 1).unwrap().narrow(1, 0, range.len()).unwrap();
                        assert!(largest_difference(&own, &expected) < 1e-5, "{kernels:?} sentence {row}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_stands_in_front_of_rows_needs_padding() {
        let t5 = testing::build(&testing::tiny());
        let (plan, weights) = scaled(&t5, everywhere());
        let active = ActiveAdapters::new(&plan, &weights).unwrap();
        let sentences = sentences();
        let slices: Vec<&[u32]> = sentences.iter().map(Vec::as_slice).collect();
        let found = t5.encode_packed(&slices, &active, &mut Ctx::eval()).unwrap();
        assert!(matches!(found.layout, Layout::Padded(_)));
        let (ids, mask, _) = batch();
        let expected = t5.encode(&ids, &mask, &active, &mut Ctx::eval()).unwrap();
        assert_eq!(largest_difference(&found.hidden, &expected), 0.);
        assert!(Encoded::padded(expected, mask.narrow(0, 0, 1).unwrap()).is_err());
    }
}
