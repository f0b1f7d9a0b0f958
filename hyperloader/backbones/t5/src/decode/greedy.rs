//! Greedy search: always the likeliest next token.

use candle_core::{D, Tensor};
use peft_core::{ActiveAdapters, Ctx};

use super::GenerationConfig;
use crate::Result;
use crate::T5;

/// The target sentence of each row of `encoded [b, s, d]`, taking the likeliest token at every step.
///
/// Each row begins with the start token, ends with `</s>` unless `max_length` came first, and is padded to the length of
/// the longest. Finished rows leave the batch; in `active`, weights and adapters that differ by row follow their rows.
///
/// # Errors
/// As [`T5::decode_step`].
pub fn greedy(
    t5: &T5,
    encoded: &Tensor,
    mask: &Tensor,
    active: &ActiveAdapters<'_>,
    config: &GenerationConfig,
) -> Result<Vec<Vec<u32>>> {
    let (start, eos) = (t5.config().decoder_start_token_id, t5.config().eos_token_id);
    let (device, max_length) = (encoded.device(), config.max_length.get());
    let mut ctx = Ctx::eval();
    let mut cache = t5.start_cache(encoded, mask, active, max_length, &mut ctx)?;
    let mut following = active.clone();
    let mut sentences = vec![vec![start]; encoded.dim(0)?];
    // The rows of the batch: which sentence each one is, and its last token.
    let mut alive: Vec<(usize, u32)> = (0..sentences.len()).map(|sentence| (sentence, start)).collect();
    for _ in 1..max_length {
        if alive.is_empty() {
            break;
        }
        let last: Vec<u32> = alive.iter().map(|(_, token)| *token).collect();
        let tokens = Tensor::from_vec(last, (alive.len(), 1), device)?;
        let hidden = t5.decode_step(&tokens, &mut cache, &following, &mut ctx)?;
        let next: Vec<u32> = t5.logits(&hidden, &following, &mut ctx)?.argmax(D::Minus1)?.flatten_all()?.to_vec1()?;
        for ((sentence, token), next) in alive.iter_mut().zip(next) {
            *token = next;
            if let Some(tokens) = sentences.get_mut(*sentence) {
                tokens.push(next);
            }
        }
        let rows: Vec<u32> = (0..).zip(&alive).filter(|(_, (_, token))| *token != eos).map(|(row, _)| row).collect();
        let finished = alive.len() - rows.len();
        alive.retain(|(_, token)| *token != eos);
        if finished > 0 && !alive.is_empty() {
            following = following.select_rows(&rows)?;
            cache.select_rows(&Tensor::new(rows, device)?)?;
        }
    }
    pad(&mut sentences, t5.config().pad_token_id);
    Ok(sentences)
}

/// Fills every sentence with `pad` to the length of the longest.
pub(super) fn pad(sentences: &mut [Vec<u32>], pad: u32) {
    let width = sentences.iter().map(Vec::len).max().unwrap_or(0);
    sentences.iter_mut().for_each(|tokens| tokens.resize(width, pad));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::testing::{batch, build, tiny};
    use crate::{T5Config, Weights};
    use candle_core::{DType, Device};
    use std::num::NonZeroUsize;

    /// Greedy search as it is defined: the whole prefix anew at every step, no row leaves.
    fn naive(t5: &T5, encoded: &Tensor, mask: &Tensor, max_length: usize) -> Vec<Vec<u32>> {
        let config = t5.config();
        let mut rows = vec![vec![config.decoder_start_token_id]; encoded.dim(0).unwrap()];
        let mut alive = vec![true; rows.len()];
        while rows[0].len() < max_length && alive.contains(&true) {
            let ids = Tensor::new(rows.clone(), &Device::Cpu).unwrap();
            let hidden = t5.decode(&ids, encoded, mask, &ActiveAdapters::none(), &mut Ctx::eval()).unwrap();
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
            let config = GenerationConfig { max_length: NonZeroUsize::new(40).unwrap(), ..Default::default() };
            let rows = greedy(&t5, &encoded, &mask, &ActiveAdapters::none(), &config).unwrap();
            assert_eq!(rows, naive(&t5, &encoded, &mask, 40));
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
        let config = GenerationConfig { max_length: NonZeroUsize::MIN, ..Default::default() };
        assert_eq!(greedy(&t5, &encoded, &mask, &ActiveAdapters::none(), &config).unwrap(), [[0], [0], [0]]);
    }
}
