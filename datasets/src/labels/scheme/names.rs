//! The schemes and their names.

use std::fmt;
use std::str::FromStr;

use serde::de::{IntoDeserializer, value};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, nearest};

/// How a corpus marks the tokens of its spans.
///
/// | scheme | a span of one token, of three tokens, and a neighbor of the same type |
/// |---|---|
/// | `iob2` | `B-X`; `B-X I-X I-X`; `B-X` |
/// | `iob1` | `I-X`; `I-X I-X I-X`; `B-X`, because it follows a span of its type |
/// | `bioes` | `S-X`; `B-X I-X E-X`; `S-X` |
/// | `bilou` | `U-X`; `B-X I-X L-X`; `U-X` |
/// | `bmewo` | `W-X`; `B-X M-X E-X`; `W-X` |
/// | `bmes` | `S-X`; `B-X M-X E-X`; `S-X` |
/// | `io` | `I-X`; `I-X I-X I-X`; the neighbor joins the span before it |
/// | `bare` | `X`; `X X X`; the neighbor joins the span before it |
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagScheme {
    /// Every span begins with `B-`.
    #[default]
    #[serde(alias = "bio")]
    Iob2,
    /// A span begins with `B-` only after a span of its own type.
    #[serde(alias = "iob")]
    Iob1,
    /// The last token is `E-`, a single token `S-`.
    #[serde(alias = "iobes")]
    Bioes,
    /// The last token is `L-`, a single token `U-`.
    #[serde(alias = "bioul")]
    Bilou,
    /// The tokens in the middle are `M-`, the last is `E-`, a single token `W-`.
    Bmewo,
    /// The tokens in the middle are `M-`, the last is `E-`, a single token `S-`.
    #[serde(alias = "bmeso")]
    Bmes,
    /// All tokens of a span are `I-`.
    Io,
    /// All tokens of a span are the type alone.
    Bare,
}

impl TagScheme {
    /// Every scheme.
    pub const ALL: [Self; 8] =
        [Self::Iob2, Self::Iob1, Self::Bioes, Self::Bilou, Self::Bmewo, Self::Bmes, Self::Io, Self::Bare];

    /// The name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iob2 => "iob2",
            Self::Iob1 => "iob1",
            Self::Bioes => "bioes",
            Self::Bilou => "bilou",
            Self::Bmewo => "bmewo",
            Self::Bmes => "bmes",
            Self::Io => "io",
            Self::Bare => "bare",
        }
    }
}

impl fmt::Display for TagScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TagScheme {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let lower_case = name.to_ascii_lowercase();
        let known: Result<Self, value::Error> = Self::deserialize(lower_case.as_str().into_deserializer());
        known.map_err(|_| Error::UnknownName {
            what: "tag scheme",
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
            nearest: nearest(name, Self::ALL.map(Self::name)),
        })
    }
}
