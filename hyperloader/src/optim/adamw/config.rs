//! The hyperparameters of AdamW.

use peft_core::setters;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use crate::{Error, Result};

/// Hyperparameters of [`AdamW`](super::AdamW); the defaults are the paper's.
///
/// ```
/// # use hyperloader::optim::{AdamWConfig, AdamWFlavor, Unreached};
/// let config = AdamWConfig::default();
/// assert_eq!((config.betas, config.eps, config.weight_decay), ((0.9, 0.999), 1e-8, 0.0));
/// assert_eq!((config.flavor, config.unreached), (AdamWFlavor::Transformers35, Unreached::Dense));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, SmartDefault)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// Decay rates `β₁`, `β₂` of the first and second moment, each in `[0, 1)`. Default 0.9 and 0.999.
    #[default((0.9, 0.999))]
    pub betas: (f64, f64),
    /// `ε`, added to the root of the second moment; above 0. Default 1e-8.
    #[default(1e-8)]
    pub eps: f64,
    /// Decoupled weight decay `λ`: a step multiplies the parameter by `1 - lr·λ`. Default 0.
    pub weight_decay: f64,
    /// Where `ε` and the decay enter. Default `transformers35`.
    pub flavor: AdamWFlavor,
    /// What happens to a parameter that a batch does not reach. Default `dense`.
    pub unreached: Unreached,
    /// LoRA+ (Hayou et al. 2024, <https://arxiv.org/abs/2402.12354>, section 4): the learning rate of `lora_B`, and of the
    /// hypernetwork's heads that generate it, is multiplied by this ratio. The authors recommend about 16. Default: none, which
    /// is 1.
    pub loraplus_lr_ratio: Option<f64>,
    /// The learning rate of steps through [`candle_nn::Optimizer`]. Configuration files do not have this key, because this crate's
    /// own training takes the rate from a [`Schedule`](crate::optim::Schedule). Default 1e-3.
    #[default(1e-3)]
    #[serde(skip)]
    pub learning_rate: f64,
}

/// The two common versions of AdamW. They differ visibly unless `√v` is much larger than `ε`.
///
/// With `m ← β₁m + (1-β₁)g`, `v ← β₂v + (1-β₂)g²` and the corrections `c₁ = 1-β₁ᵗ`, `c₂ = 1-β₂ᵗ`, where `t` counts
/// the updates of this one parameter:
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdamWFlavor {
    /// `transformers` up to 4 (the authors ran 3.5.1):
    /// `p ← p - lr · (√c₂/c₁) · m / (√v + ε)`, then `p ← p · (1 - lr·λ)`.
    #[default]
    Transformers35,
    /// `torch.optim.AdamW`: `p ← p · (1 - lr·λ)`, then `p ← p - lr · (m/c₁) / (√(v/c₂) + ε)`.
    Torch,
}

/// What happens to a parameter that had a gradient in an earlier step but has none in this step, such as the embedding
/// of a task that is not in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unreached {
    /// It is updated with gradient 0, so that its momentum still moves it. The authors ran this: `zero_grad` of torch 1.7
    /// keeps tensors of zeros.
    #[default]
    Dense,
    /// It is skipped, as under today's torch (`set_to_none`).
    Lazy,
}

setters! {
    AdamWConfig {
        eps => eps: f64,
        weight_decay => weight_decay: f64,
        flavor => flavor: AdamWFlavor,
        unreached => unreached: Unreached,
        loraplus_lr_ratio => loraplus_lr_ratio: f64,
        learning_rate => learning_rate: f64,
    }
}

impl AdamWConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the [decay rates](Self#structfield.betas) `β₁` and `β₂`.
    #[must_use]
    pub fn betas(self, first: f64, second: f64) -> Self {
        Self { betas: (first, second), ..self }
    }

    /// Checks that the numbers are in range.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key, its value and what was expected.
    pub fn validate(&self) -> Result<()> {
        let beta = |value: f64| (0.0..1.0).contains(&value);
        let checks = [
            (beta(self.betas.0), "betas[0]", self.betas.0, "0 or more and below 1"),
            (beta(self.betas.1), "betas[1]", self.betas.1, "0 or more and below 1"),
            (self.eps.is_finite() && self.eps > 0.0, "eps", self.eps, "a finite number above 0"),
            (
                self.weight_decay.is_finite() && self.weight_decay >= 0.0,
                "weight_decay",
                self.weight_decay,
                "a finite number, 0 or more",
            ),
            (
                self.loraplus_lr_ratio.is_none_or(|ratio| ratio.is_finite() && ratio > 0.0),
                "loraplus_lr_ratio",
                self.loraplus_lr_ratio.unwrap_or_default(),
                "a finite number above 0",
            ),
        ];
        match checks.iter().find(|(good, ..)| !good) {
            None => Ok(()),
            Some((_, key, value, expected)) => {
                Err(Error::Config(format!("AdamW: {key} is {value}; expected {expected}")))
            }
        }
    }
}
