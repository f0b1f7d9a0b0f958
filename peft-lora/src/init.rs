//! `init_lora_weights`: the initial values of A and B.

use candle_nn::Init;
use candle_nn::init::ZERO;
use peft_core::{KAIMING_UNIFORM, normal};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The initial values of `A` and `B`. In files it is written as in `peft`: `true` or `"kaiming"`, `"gaussian"`, or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoraInit {
    /// `A` Kaiming-uniform (±1/√d_in), `B` zero: Microsoft's reference code, and `peft`'s default.
    #[default]
    Kaiming,
    /// `A` normal with deviation `1/r`, `B` zero.
    Gaussian,
    /// Both Kaiming-uniform: the output changes before the first step. For tests.
    Random,
}

/// The names in files.
const NAMES: &str = "true, \"kaiming\", \"gaussian\" or false";

impl LoraInit {
    /// The initial values of `A` and `B` at rank `r`.
    pub(crate) fn values(self, r: usize) -> [Init; 2] {
        match self {
            Self::Kaiming => [KAIMING_UNIFORM, ZERO],
            Self::Gaussian => [normal(1. / r as f64), ZERO],
            Self::Random => [KAIMING_UNIFORM, KAIMING_UNIFORM],
        }
    }
}

impl Serialize for LoraInit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Kaiming => serializer.serialize_bool(true),
            Self::Gaussian => serializer.serialize_str("gaussian"),
            Self::Random => serializer.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for LoraInit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(on) => Ok(if on { Self::Kaiming } else { Self::Random }),
            Value::String(name) if name == "kaiming" => Ok(Self::Kaiming),
            Value::String(name) if name == "gaussian" => Ok(Self::Gaussian),
            other => Err(D::Error::custom(format!("unknown init_lora_weights {other}; known: {NAMES}"))),
        }
    }
}
