//! Tagged sentences as batches for T5.

use candle_core::Device;
use datasets::Example;
use datasets::encode::{Batch, EncodeOptions, Encoder, collate};
use datasets::labels::simplify;
use datasets::tokenizer::T5Tokenizer;
use peft_t5::T5Batch;

use crate::Result;

/// The batch of padded id arrays, brought to `device` in one transfer; labels equal to `pad` do not count.
///
/// # Errors
/// If the arrays do not have the sizes that the batch says, or there is no label.
pub fn batch_of(batch: Batch, pad: u32, device: &Device) -> Result<T5Batch> {
    let shape = batch.shape;
    let sources = (shape.batch, shape.source_length);
    let labels = (batch.target, (shape.batch, shape.target_length));
    Ok(T5Batch::from_values([(batch.source, sources), (batch.source_mask, sources), labels], pad, device)?)
}

/// Tagged sentences as one batch, cut at 128 tokens: words and simplified tags between sentinels, as in the paper (arXiv
/// 2407.01411, section 3).
///
/// # Errors
/// If a sentence cannot be tokenized, a tag is malformed, or there is no sentence.
pub fn labelling_batch(examples: &[Example], tokenizer: &T5Tokenizer, device: &Device) -> Result<T5Batch> {
    let mut encoder = Encoder::new(tokenizer, &EncodeOptions::default())?;
    let encode = |example: &Example| Ok(encoder.encode(&example.tokens, &simplify(&example.tags)?)?);
    let pairs = examples.iter().map(encode).collect::<Result<Vec<_>>>()?;
    batch_of(collate(&pairs, tokenizer.pad_id()), tokenizer.pad_id(), device)
}
