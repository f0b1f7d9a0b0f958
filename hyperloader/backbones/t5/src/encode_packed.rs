//! Sentences through the encoder, without padding where nothing needs it.

use peft_core::{ActiveAdapters, Ctx};
use peft_kernels::{PackedKeys, TokenPosition, TokenPositions, transfer};

use crate::batch::padded_with_mask;
use crate::error::Result;
use crate::model::T5;
use crate::packed::{Encoded, PackedTerms};
use peft_core::layers::Run;

impl T5 {
    /// The encoder's output for sentences of any lengths, given as token ids; each sentence as [`encode`](Self::encode) would
    /// give it alone.
    ///
    /// The tokens of all sentences go through the network one after the other, without padding. The exception is a method
    /// that tells rows apart or puts something in front of them: with such a method they are padded. So they are on a GPU, where packing
    /// would cost many transfers of indices.
    ///
    /// # Errors
    /// If an id is outside the vocabulary, or all sentences are empty; or as the active methods do.
    pub fn encode_packed(&self, sentences: &[&[u32]], active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Encoded> {
        let on_device = ctx.goes_device_way(self.device());
        if on_device
            || !(self.encoder.takes_packed(active) && self.decoder.takes_packed(active) && active.is_idle(self.input))
        {
            return self.encode_padded(sentences, active, ctx);
        }
        let mut packed = Vec::with_capacity(sentences.len());
        let mut tokens = Vec::new();
        for (row, ids) in sentences.iter().enumerate() {
            packed.push(tokens.len()..tokens.len() + ids.len());
            tokens.extend((0..ids.len()).map(|position| Some(TokenPosition { row, position })));
        }
        let tokens = TokenPositions(tokens);
        let far = tokens.end().saturating_sub(1);
        let bias = self.encoder.bias.offsets(far, far)?;
        let keys = PackedKeys::Packed { rows: 1, sentences: &packed };
        let terms = PackedTerms { bias: Some(&bias), ..PackedTerms::new(&tokens, keys) };
        let ids = sentences.concat();
        let count = ids.len();
        let ids = transfer::upload(ids, (1, count), self.device())?;
        let mut h = self.embed(&ids, ctx)?;
        let run = &mut Run { active, ctx };
        for block in &self.encoder.blocks {
            h = block.encode_packed(&h, &terms, run)?;
        }
        Ok(Encoded::packed(self.encoder.finish(&h, run)?, packed))
    }

    fn encode_padded(&self, sentences: &[&[u32]], active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Encoded> {
        let (ids, mask) = padded_with_mask(sentences, self.config().pad_token_id, self.device())?;
        self.encode(&ids, &mask, active, ctx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use peft_kernels::Kernels;

    use super::*;
    use crate::testing::{
        self, batch, configs, everywhere, largest_difference, linear_and_sub_layers, scaled, sentences,
    };

    #[test]
    fn sentences_without_padding_are_encoded_as_padded_ones() {
        for config in configs() {
            let t5 = testing::build(&config);
            let (plan, weights) = scaled(&t5, linear_and_sub_layers());
            for active in [ActiveAdapters::none(), ActiveAdapters::new(&plan, &weights).unwrap()] {
                for kernels in [Kernels::Fused, Kernels::Plain] {
                    let mut ctx = Ctx::eval().with_kernels(kernels);
                    let (ids, mask, _) = batch();
                    let expected = t5.encode(&ids, &mask, &active, &mut ctx).unwrap();
                    let sentences = sentences();
                    let slices: Vec<&[u32]> = sentences.iter().map(Vec::as_slice).collect();
                    let found = t5.encode_packed(&slices, &active, &mut ctx).unwrap();
                    let ranges = found.ranges().unwrap_or_default();
                    assert_eq!((found.sentences(), ranges.len()), (sentences.len(), sentences.len()));
                    assert_eq!(found.hidden().dim(1).unwrap(), sentences.concat().len());
                    for (row, range) in ranges.iter().enumerate() {
                        let own = found.hidden().narrow(1, range.start, range.len()).unwrap();
                        let expected = expected.hidden().narrow(0, row, 1).unwrap().narrow(1, 0, range.len()).unwrap();
                        assert!(largest_difference(&own, &expected) < 1e-5, "{kernels:?} sentence {row}");
                    }
                    // A generator sees the same, whether sentences were padded or not.
                    let [padded, packed] = [&expected, &found].map(|encoded| encoded.states().unwrap());
                    assert_eq!(
                        packed.mask().to_vec2::<u32>().unwrap(),
                        padded.mask().to_vec2::<u32>().unwrap(),
                        "{kernels:?}"
                    );
                    assert!(largest_difference(&packed.mean().unwrap(), &padded.mean().unwrap()) < 1e-5, "{kernels:?}");
                }
            }
        }
    }

    #[test]
    fn positions_in_front_of_rows_need_padding() {
        let t5 = testing::build(&testing::tiny());
        let (plan, weights) = scaled(&t5, everywhere());
        let active = ActiveAdapters::new(&plan, &weights).unwrap();
        let sentences = sentences();
        let slices: Vec<&[u32]> = sentences.iter().map(Vec::as_slice).collect();
        let found = t5.encode_packed(&slices, &active, &mut Ctx::eval()).unwrap();
        assert!(found.ranges().is_none());
        let (ids, mask, _) = batch();
        let expected = t5.encode(&ids, &mask, &active, &mut Ctx::eval()).unwrap();
        assert_eq!(largest_difference(found.hidden(), expected.hidden()), 0.);
        assert!(Encoded::padded(expected.hidden().clone(), mask.narrow(0, 0, 1).unwrap()).is_err());
    }
}
