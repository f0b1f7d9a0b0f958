//! Which parameters of the backbone train.

use serde::{Deserialize, Serialize};

/// Which parameters of the backbone train together with those of a PEFT method.
///
/// ```
/// use peft_t5::Trainable;
///
/// assert!(Trainable::Norms.covers("encoder.block.0.layer.1.layer_norm.weight"));
/// assert!(Trainable::Norms.covers("decoder.final_layer_norm.weight"));
/// assert!(!Trainable::Norms.covers("shared.weight"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trainable {
    /// None: the backbone is frozen.
    #[default]
    None,
    /// The weight of every norm, as in HyperFormer and HyperLoader.
    Norms,
    /// All: full fine-tuning.
    All,
}

impl Trainable {
    /// Whether the parameter called `name` trains.
    pub fn covers(self, name: &str) -> bool {
        match self {
            Self::None => false,
            // `layer_norm.weight` in the sub-layers and `final_layer_norm.weight` after a stack.
            Self::Norms => name.ends_with("layer_norm.weight"),
            Self::All => true,
        }
    }
}
