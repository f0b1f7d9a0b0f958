//! How the hypernetwork begins.

use candle_nn::Init;
use candle_nn::init::{FanInOut, NonLinearity, NormalOrUniform};
use peft_core::{HeadInit, ParamSpec, Result, normal};
use serde::{Deserialize, Serialize};

/// The standard deviation of the conditioning network's weights in the paper.
const PAPER_STD: f64 = 0.01;

/// How the hypernetwork begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HyperInit {
    /// As the paper's code: the conditioning network normal with deviation 0.01, and heads as the methods say
    /// ([`ParamSpec::head`]). Generated weights then begin where those of the paper do.
    #[default]
    Paper,
    /// Generated weights begin with the mean and the standard deviation of static ones ([`HeadInit::matching`]); the conditioning
    /// network keeps the variance of its input.
    Scaled,
}

/// Normal with variance `gain² / d_in` for a weight `[d_out, d_in]`.
const fn fan_in(non_linearity: NonLinearity) -> Init {
    Init::Kaiming { dist: NormalOrUniform::Normal, fan: FanInOut::FanIn, non_linearity }
}

impl HyperInit {
    /// The weights of the conditioning network's layers: the one before `relu`, and the one after it.
    ///
    /// Scaled: embeddings have the variance 1. `W₁` has the variance `2 / d_in`, so its output has the variance 2, and what `relu`
    /// leaves has the second moment 1. `W₂` has the variance `1 / h`, so its output has the variance 1.
    pub(crate) fn layers(self) -> [Init; 2] {
        match self {
            Self::Paper => [normal(PAPER_STD); 2],
            Self::Scaled => [fan_in(NonLinearity::ReLU), fan_in(NonLinearity::Linear)],
        }
    }

    /// The head of `spec`, for conditioning vectors of `width` elements from a layer norm, whose sum of squares is `width`.
    pub(crate) fn head(self, spec: &ParamSpec, width: usize) -> Result<HeadInit> {
        match self {
            Self::Paper => Ok(spec.head),
            Self::Scaled => HeadInit::matching(spec, width as f64),
        }
    }
}
