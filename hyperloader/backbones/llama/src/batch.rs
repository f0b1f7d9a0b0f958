//! The input of one training step.

use candle_core::{Device, Tensor};
use peft_core::{Error, Result};
use peft_kernels::transfer;

use crate::input::LlamaInput;

/// The label of a token that is not learned.
pub const IGNORED: u32 = u32::MAX;

/// A padded batch of texts on the model's device.
#[derive(Debug, Clone)]
pub struct LlamaBatch {
    /// The texts.
    pub input: LlamaInput,
    /// The tokens that are learned, each at its own place, and [`IGNORED`] at all others; `[batch, length]`, u32. As in `transformers`, the
    /// loss shifts them: the label of a token is compared with the scores at the token before.
    pub labels: Tensor,
}

impl LlamaBatch {
    /// Prompts, and what the model should write after them. Prompts are not learned; an empty prompt makes its whole target a text to
    /// learn, without the first token, which nothing comes before.
    ///
    /// ```
    /// use candle_core::Device;
    /// use peft_llama::{IGNORED, LlamaBatch};
    ///
    /// let batch = LlamaBatch::new(&[&[17, 4], &[]], &[&[9, 1], &[5, 1]], &Device::Cpu)?;
    /// assert_eq!(batch.input.ids.to_vec2::<u32>()?, [[17, 4, 9, 1], [0, 0, 5, 1]]);
    /// assert_eq!(batch.labels.to_vec2::<u32>()?, [[IGNORED, IGNORED, 9, 1], [IGNORED, IGNORED, 5, 1]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there are more prompts than targets or fewer, or a row without a token.
    pub fn new(prompts: &[&[u32]], targets: &[&[u32]], device: &Device) -> Result<Self> {
        if prompts.len() != targets.len() {
            let (prompts, targets) = (prompts.len(), targets.len());
            return Err(Error::Mismatch(format!("a batch of {prompts} prompts and {targets} targets")));
        }
        let rows: Vec<Vec<u32>> =
            prompts.iter().zip(targets).map(|(prompt, target)| [*prompt, *target].concat()).collect();
        let input = LlamaInput::new(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>(), device)?;
        let length = input.ids.dim(1)?;
        let labels = targets.iter().flat_map(|target| {
            std::iter::repeat_n(IGNORED, length.saturating_sub(target.len())).chain(target.iter().copied())
        });
        let labels = transfer::upload(labels.collect::<Vec<u32>>(), (rows.len(), length), device)?;
        Ok(Self { input, labels })
    }
}
