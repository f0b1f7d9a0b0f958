//! Greedy search: always the likeliest next token.

use candle_core::D;
use peft_kernels::transfer;

use super::batch::Batch;
use super::config::GenerationConfig;
use super::source::Source;
use crate::error::Result;

/// The target sentence of each sentence of `source`, taking the likeliest token at every step.
///
/// Each begins with the start token, ends with `</s>` unless `max_length` came first, and is padded to the length of the
/// longest. Finished sentences leave the batch; adapters and weights that differ by row follow their sentences.
///
/// # Errors
/// As [`T5::decode_packed`](crate::T5::decode_packed).
pub fn greedy(source: &Source<'_>, config: &GenerationConfig) -> Result<Vec<Vec<u32>>> {
    let t5 = source.t5.config();
    let mut batch = Batch::new(source)?;
    let mut written = vec![vec![t5.decoder_start_token_id]; source.encoded.sentences()];
    let mut last = vec![t5.decoder_start_token_id; written.len()];
    for _ in 1..config.max_length.get() {
        if last.is_empty() {
            break;
        }
        let next: Vec<u32> = transfer::download(&batch.logits(&last)?.argmax(D::Minus1)?)?;
        for (sentence, token) in batch.sentences().iter().zip(&next) {
            if let Some(tokens) = written.get_mut(*sentence as usize) {
                tokens.push(*token);
            }
        }
        let going = (0..).zip(next).filter(|(_, token)| *token != t5.eos_token_id);
        let (rows, tokens): (Vec<u32>, Vec<u32>) = going.unzip();
        batch.retain(&rows, &rows)?;
        last = tokens;
    }
    pad(&mut written, t5.pad_token_id);
    Ok(written)
}

/// Fills every sentence with `pad` to the length of the longest.
pub(super) fn pad(sentences: &mut [Vec<u32>], pad: u32) {
    let width = sentences.iter().map(Vec::len).max().unwrap_or(0);
    sentences.iter_mut().for_each(|tokens| tokens.resize(width, pad));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::num::NonZeroUsize;

    use candle_core::{DType, Device, Tensor};
    use peft_core::{ActiveAdapters, Ctx};
    use peft_kernels::Kernels;

    use super::*;
    use crate::testing::{batch, build, tiny};
    use crate::{Encoded, T5, T5Config, Weights};

    fn write(t5: &T5, encoded: &Encoded, max_length: usize) -> Vec<Vec<u32>> {
        let config =
            GenerationConfig { max_length: NonZeroUsize::new(max_length).unwrap(), ..GenerationConfig::default() };
        greedy(&Source::new(t5, encoded, &ActiveAdapters::none()), &config).unwrap()
    }

    /// Greedy search as it is defined: the whole prefix anew at every step, no row leaves.
    fn naive(t5: &T5, encoded: &Encoded, max_length: usize) -> Vec<Vec<u32>> {
        let config = t5.config();
        let mut rows = vec![vec![config.decoder_start_token_id]; encoded.sentences()];
        let mut alive = vec![true; rows.len()];
        while rows[0].len() < max_length && alive.contains(&true) {
            let ids = Tensor::new(rows.clone(), &Device::Cpu).unwrap();
            let hidden = t5.decode(&ids, encoded, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
            let logits: Vec<Vec<Vec<f32>>> =
                t5.logits(&hidden, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap().to_vec3().unwrap();
            for ((row, alive), logits) in rows.iter_mut().zip(&mut alive).zip(logits) {
                let scores = logits.last().unwrap();
                let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap() as u32;
                row.push(if *alive { best } else { config.pad_token_id });
                *alive &= best != config.eos_token_id;
            }
        }
        rows
    }

    #[test]
    fn the_cache_and_the_shrinking_batch_change_no_token() {
        let (mut finished_early, mut cut) = (0, 0);
        for eos_token_id in 0..tiny().vocab_size as u32 {
            let t5 = build(&T5Config { eos_token_id, ..tiny() });
            let (ids, mask, _) = batch();
            let encoded = t5.encode(&ids, &mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
            let rows = write(&t5, &encoded, 40);
            assert_eq!(rows, naive(&t5, &encoded, 40));
            let sentences = crate::testing::sentences();
            let slices: Vec<&[u32]> = sentences.iter().map(Vec::as_slice).collect();
            let packed = t5.encode_packed(&slices, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
            assert_eq!(write(&t5, &packed, 40), rows);
            let (none, config) = (ActiveAdapters::none(), GenerationConfig::default());
            let on_device = Source::new(&t5, &encoded, &none).with_kernels(Kernels::Device);
            let config = GenerationConfig { max_length: NonZeroUsize::new(40).unwrap(), ..config };
            assert_eq!(greedy(&on_device, &config).unwrap(), rows);
            let ends = rows.iter().filter(|row| row[1..].contains(&eos_token_id)).count();
            finished_early += usize::from(ends > 0 && ends < rows.len());
            cut += usize::from(ends == 0);
        }
        assert!(finished_early > 0 && cut > 0, "both endings must occur: {finished_early} {cut}");
    }

    #[test]
    fn a_maximum_of_one_leaves_the_start_token() {
        let t5 = T5::new(&tiny(), Weights::random(7).var_builder(DType::F32, &Device::Cpu)).unwrap();
        let (ids, mask, _) = batch();
        let encoded = t5.encode(&ids, &mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
        assert_eq!(write(&t5, &encoded, 1), [[0], [0], [0]]);
    }
}
