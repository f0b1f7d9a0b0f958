//! The non-linearities of an adapter, under the names that AdapterHub gives them.

use candle_core::Tensor;
use peft_core::Result;
use peft_core::ops::{self, Kernels};
use serde::{Deserialize, Serialize};

/// A non-linearity between the two projections of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonLinearity {
    /// `max(x, 0)`.
    Relu,
    /// `x · sigmoid(x)`, also called SiLU.
    #[serde(alias = "silu")]
    Swish,
    /// `x · Φ(x)` with the error function.
    Gelu,
    /// The tanh approximation of GELU: `0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    GeluNew,
    /// `tanh(x)`.
    Tanh,
}

impl NonLinearity {
    /// The function, element by element.
    ///
    /// # Errors
    /// If the tensor operation fails.
    pub fn forward(self, x: &Tensor, kernels: Kernels) -> Result<Tensor> {
        Ok(match self {
            Self::Relu => ops::relu(x, kernels)?,
            Self::Swish => x.silu()?,
            Self::Gelu => x.gelu_erf()?,
            Self::GeluNew => ops::gelu_tanh(x, kernels)?,
            Self::Tanh => x.tanh()?,
        })
    }
}
