//! The choice between the two implementations of an operation.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// Which implementation of an operation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernels {
    /// The fused implementation, for `f32` tensors on the CPU. Other types and devices run the plain one.
    #[default]
    Fused,
    /// Candle's own operations: the specification that the fused implementation is tested against.
    Plain,
}

impl Kernels {
    /// Whether the fused `f32` CPU implementation applies to these arguments.
    pub(crate) fn fused_for(self, arguments: &[&Tensor]) -> bool {
        self == Self::Fused && arguments.iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32)
    }
}
