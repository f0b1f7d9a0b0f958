//! How texts are generated.

use peft_core::layers::Sampling;

/// How [`generate`](super::generate) chooses tokens, and where a text ends.
///
/// ```
/// use peft_llama::{GenerateOptions, Sampling};
///
/// let greedy = GenerateOptions::new(20);
/// let sampled = GenerateOptions::new(20).eos([2]).sampling(Sampling { temperature: 0.7, ..Sampling::new(42) });
/// # assert!(greedy.sampling == Sampling::greedy() && sampled.eos == Some(vec![2]));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// The most tokens that are written after a prompt.
    pub max_new_tokens: usize,
    /// The tokens that end a text; each of them is written. `None`: the model's own, `eos_token_id`.
    pub eos: Option<Vec<u32>>,
    /// How the next token is chosen. Default: [greedy](Sampling::greedy).
    pub sampling: Sampling,
}

impl GenerateOptions {
    /// Greedy generation of at most `max_new_tokens` tokens after each prompt.
    pub fn new(max_new_tokens: usize) -> Self {
        Self { max_new_tokens, eos: None, sampling: Sampling::greedy() }
    }

    /// Sets the tokens that end a text.
    #[must_use]
    pub fn eos(self, tokens: impl IntoIterator<Item = u32>) -> Self {
        Self { eos: Some(tokens.into_iter().collect()), ..self }
    }

    /// Sets how the next token is chosen.
    #[must_use]
    pub fn sampling(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }
}
