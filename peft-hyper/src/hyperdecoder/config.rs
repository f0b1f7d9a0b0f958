//! The hyperdecoder's configuration.

use std::num::NonZeroUsize;

use peft_core::{Error, Plan, Result, Stack, nonzero, setters};
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

/// The name in configuration files.
pub(super) const NAME: &str = "hyperdecoder";

/// Weights that are generated from the input (Ivison and Peters 2022, *Hyperdecoders*, arXiv 2203.08304).
///
/// `z` is the mean of the output of [`stack`](Self::stack), the encoder, over the tokens of a sentence. For layer `i` of a stack
/// after it:
///
/// ```text
/// u = M₂ relu(M₁ z + a₁) + a₂         M₁, M₂ [d, d]
/// c = relu(W [u ; layer_i] + b)       W [h, d + e]
/// w = reshape(H c (+ b_H))            one head (H, b_H) for each name and shape of a weight
/// ```
///
/// So every sentence has weights of its own, whatever its task. Methods in the stack itself and before it have plain trained weights,
/// which all tasks share and which act when the output is computed. Defaults are those of the paper's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct HyperdecoderConfig {
    /// The stack whose output weights are generated from. Default `encoder`.
    #[default(Stack::ENCODER)]
    pub stack: Stack,
    /// Whether the mean goes through two linear maps, `u` above; otherwise `u = z`. Default: yes.
    #[default(true)]
    pub mlp: bool,
    /// The width `e` of the embedding of a layer. Where methods act at several roles of a layer, such as `ffn` and `self.q`, each role
    /// has an embedding of its own. Default 10.
    #[default(nonzero(10))]
    pub layer_embedding_dim: NonZeroUsize,
    /// The width `h` of the vector that the heads read. Default 128.
    #[default(nonzero(128))]
    pub hidden_dim: NonZeroUsize,
}

setters! {
    HyperdecoderConfig {
        stack => stack: Stack,
        mlp => mlp: bool,
        layer_embedding_dim => layer_embedding_dim: nonzero,
        hidden_dim => hidden_dim: nonzero,
    }
}

impl HyperdecoderConfig {
    /// The generator of the paper's code.
    pub fn new() -> Self {
        Self::default()
    }

    /// The features of the stack's output.
    pub(super) fn features(&self, plan: &Plan) -> Result<usize> {
        plan.sites().width(&self.stack).ok_or_else(|| {
            let known: Vec<&str> = plan.sites().stacks().into_iter().map(Stack::as_str).collect();
            let reason =
                format!("is {:?}, expected a stack of this backbone: {}", self.stack.as_str(), known.join(", "));
            Error::invalid(NAME, "stack", reason)
        })
    }
}
