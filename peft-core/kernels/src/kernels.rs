//! Which implementation an operation runs.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// Which implementation of an operation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernels {
    /// The fused implementation where one exists: `f32` tensors on the CPU. Other types and devices run
    /// the plain implementation.
    #[default]
    Fused,
    /// Candle's own operations: the specification the fused ones are tested against.
    Plain,
}

impl Kernels {
    /// Whether the fused `f32` CPU implementation applies to these arguments.
    pub(super) fn fused_for(self, arguments: &[&Tensor]) -> bool {
        self == Self::Fused && arguments.iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32)
    }
}
