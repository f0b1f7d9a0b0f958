//! How texts are generated.

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

/// How the next token is chosen: from the distribution `softmax(scores / temperature)`, cut to its likeliest tokens. The tokens depend
/// on the seed, the row of the prompt and the scores alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token (greedy); 1 is the model's own distribution.
    pub temperature: f64,
    /// Only this many of the likeliest tokens are drawn. `None`: all.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together reach this probability are drawn (nucleus sampling, Holtzman et al. 2020, arXiv
    /// 1904.09751). 1: all.
    pub top_p: f64,
    /// The seed of the random numbers.
    pub seed: u64,
}

impl Sampling {
    /// Always the likeliest token.
    pub fn greedy() -> Self {
        Self { temperature: 0., ..Self::new(0) }
    }

    /// The model's own distribution.
    pub fn new(seed: u64) -> Self {
        Self { temperature: 1., top_k: None, top_p: 1., seed }
    }
}
