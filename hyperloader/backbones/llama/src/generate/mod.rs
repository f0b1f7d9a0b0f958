//! Generation token by token: greedy, or sampled.

mod options;

use candle_core::{DType, Tensor};
use peft_core::layers::Sampler;
use peft_core::{ActiveAdapters, Ctx, Error, Result};
use peft_kernels::transfer;

use crate::cache::KvCache;
use crate::input::LlamaInput;
use crate::model::Llama;

pub use options::GenerateOptions;
pub use peft_core::layers::Sampling;

/// What the model writes after each prompt, without the prompt. A text ends with the first of the tokens that end it, or at
/// `max_new_tokens`. Finished texts leave the batch; adapters and weights that differ by row follow their rows.
///
/// ```
/// use candle_core::Device;
/// use peft_core::ActiveAdapters;
/// use peft_llama::{GenerateOptions, Llama, LlamaConfig, LlamaInput, Sampling, generate};
///
/// let llama = Llama::random(&LlamaConfig::small(), 0)?;
/// let prompts = LlamaInput::new(&[&[17, 4, 9], &[8, 3]], &Device::Cpu)?;
/// let options = GenerateOptions::new(6).sampling(Sampling { top_p: 0.9, ..Sampling::new(42) });
/// let written = generate(&llama, &prompts, &options, &ActiveAdapters::none())?;
/// assert_eq!(written.len(), 2);
/// # Ok::<(), peft_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Mismatch`] if a prompt has no token, or an option is out of its range; otherwise as [`Llama::extend`].
pub fn generate(
    llama: &Llama,
    prompts: &LlamaInput,
    options: &GenerateOptions,
    active: &ActiveAdapters<'_>,
) -> Result<Vec<Vec<u32>>> {
    let sampler = Sampler::new(&options.sampling)?;
    let ends = options.eos.as_deref().unwrap_or(&llama.config().eos_token_id);
    let rows = prompts.rows()?;
    let mut texts = vec![Vec::new(); rows.len()];
    // The last column of each row must be its last token.
    let borrowed: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
    let start = LlamaInput::padded_to(prompts.ids.dim(1)?, &borrowed, llama.device())?;
    let mut input = start.with_positions(prompts.positions);
    let mut going = Going { active: active.detach(), rows: (0..rows.len()).collect(), cache: KvCache::new() };
    for step in 0..options.max_new_tokens {
        let scores = going.scores(llama, &input)?;
        let mut next = Vec::with_capacity(scores.len());
        for (row, scores) in going.rows.iter().zip(&scores) {
            let token = sampler.pick(scores, (*row, step))?;
            texts.get_mut(*row).into_iter().for_each(|text| text.push(token));
            next.push(token);
        }
        let stay: Vec<u32> = (0..).zip(&next).filter(|(_, token)| !ends.contains(token)).map(|(row, _)| row).collect();
        if stay.is_empty() {
            break;
        }
        next.retain(|token| !ends.contains(token));
        if stay.len() < scores.len() {
            going = going.select(&stay, llama)?;
        }
        let next: Vec<&[u32]> = next.iter().map(std::slice::from_ref).collect();
        input = LlamaInput::new(&next, llama.device())?.with_positions(prompts.positions);
    }
    Ok(texts)
}

/// The texts that have not ended.
struct Going<'a> {
    active: ActiveAdapters<'a>,
    /// Their numbers among all texts.
    rows: Vec<usize>,
    cache: KvCache,
}

impl<'a> Going<'a> {
    /// The scores of the token after `input`, one list a text.
    fn scores(&mut self, llama: &Llama, input: &LlamaInput) -> Result<Vec<Vec<f32>>> {
        let mut ctx = Ctx::eval();
        let hidden = llama.extend(input, &mut self.cache, &self.active, &mut ctx)?;
        let last: Tensor = hidden.narrow(1, hidden.dim(1)? - 1, 1)?.contiguous()?;
        let scores = llama.logits(&last, &self.active, &mut ctx)?;
        Ok(transfer::download_rows(&scores.squeeze(1)?.to_dtype(DType::F32)?)?)
    }

    /// Those with the numbers `stay` among these.
    fn select(self, stay: &[u32], llama: &Llama) -> Result<Self> {
        let row = |number: &u32| {
            let missing = || Error::Mismatch(format!("there is no text number {number}"));
            self.rows.get(*number as usize).copied().ok_or_else(missing)
        };
        Ok(Self {
            rows: stay.iter().map(row).collect::<Result<_>>()?,
            active: self.active.select_rows(stay)?,
            cache: self.cache.select_rows(stay, llama.device())?,
        })
    }
}

#[cfg(test)]
mod tests;
