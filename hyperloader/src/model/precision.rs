//! The types of frozen weights.

use candle_core::DType;
use serde::{Deserialize, Serialize};

/// The type of the backbone's frozen matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits
    #[default]
    F32,
    /// 16 bits, with the exponent of f32
    Bf16,
    /// 8 bits with a scale for each output, for labelling only: predict, serve, eval, compile
    Int8,
}

impl From<Precision> for DType {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::BF16,
            Precision::Int8 => Self::U8,
        }
    }
}
