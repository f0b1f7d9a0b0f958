//! The choice between the implementations of an operation.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// Which implementation of an operation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernels {
    /// The fused implementation for `f32` tensors on the CPU; for other types and devices, what [`Kernels::Device`] runs.
    #[default]
    Fused,
    /// What a GPU runs, on any device: candle's operations, with gradients of our own where candle's waste memory or work.
    Device,
    /// Candle's own operations: the specification that the other implementations are tested against.
    Plain,
}

/// The implementation that runs for certain tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// The fused operation for `f32` tensors on the CPU.
    Cpu,
    /// Candle's operations, with gradients of our own.
    Device,
    /// Candle's operations, with candle's gradients.
    Plain,
}

impl Kernels {
    /// The implementation that runs for these arguments.
    pub(crate) fn path_for(self, arguments: &[&Tensor]) -> Path {
        match self {
            Self::Fused if arguments.iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32) => Path::Cpu,
            Self::Fused | Self::Device => Path::Device,
            Self::Plain => Path::Plain,
        }
    }
}
