//! How tokens are chosen.

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
