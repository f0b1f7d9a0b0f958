//! `target_modules`: the sites that a method asks for, by name.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, PathPattern, Result, Site, SiteKind, SiteRole};

/// The word for every linear map of the backbone.
const ALL_LINEAR: &str = "all-linear";

/// The sites that a method asks for. The field has the meaning of Hugging Face `peft`: a list of suffixes of module paths, one
/// regular expression that the whole path must match, or `"all-linear"`.
///
/// ```
/// # use peft_core::TargetModules;
/// let suffixes: TargetModules = serde_json::from_str(r#"["q", "v"]"#)?;
/// assert!(suffixes.matches_path("encoder.block.0.layer.0.SelfAttention.q"));
/// assert!(!suffixes.matches_path("encoder.block.0.layer.0.SelfAttention.k"));
/// assert!(TargetModules::from(["q", "v"]).matches_path("layers.0.q"));
/// let regex: TargetModules = serde_json::from_str(r#""decoder.*EncDecAttention\\.(q|v)""#)?;
/// assert!(regex.matches_path("decoder.block.3.layer.1.EncDecAttention.v"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone)]
pub enum TargetModules {
    /// A path matches if it is one of these or ends with `.` and one of these.
    Suffixes(Vec<String>),
    /// The whole path must match.
    Pattern(PathPattern),
    /// Every linear map except the output projection.
    AllLinear,
}

impl<S: Into<String>, const N: usize> From<[S; N]> for TargetModules {
    fn from(names: [S; N]) -> Self {
        Self::suffixes(names)
    }
}

impl<S: Into<String>> From<Vec<S>> for TargetModules {
    fn from(names: Vec<S>) -> Self {
        Self::suffixes(names)
    }
}

impl<S: AsRef<str>> From<&[S]> for TargetModules {
    fn from(names: &[S]) -> Self {
        Self::suffixes(names.iter().map(AsRef::as_ref))
    }
}

impl TargetModules {
    /// One regular expression that the whole path must match.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if `text` is no regular expression.
    pub fn pattern(text: &str) -> Result<Self> {
        anchored(text).map(Self::Pattern).map_err(Error::Mismatch)
    }

    /// Suffixes of paths.
    pub fn suffixes<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self::Suffixes(names.into_iter().map(Into::into).collect())
    }

    /// Whether the name `path` matches. [`TargetModules::AllLinear`] matches any name.
    pub fn matches_path(&self, path: &str) -> bool {
        match self {
            Self::Suffixes(names) => names.iter().any(|name| is_suffix(path, name)),
            Self::Pattern(pattern) => pattern.is_match(path),
            Self::AllLinear => true,
        }
    }

    /// Whether `site` matches.
    pub fn matches(&self, site: &Site) -> bool {
        let linear = matches!(site.kind, SiteKind::Linear { .. }) && site.role != SiteRole::LM_HEAD;
        self.matches_path(&site.path) && (linear || !matches!(self, Self::AllLinear))
    }
}

fn anchored(text: &str) -> Result<PathPattern, String> {
    PathPattern::whole(text).map_err(|reason| format!("target_modules {reason}"))
}

fn is_suffix(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl fmt::Display for TargetModules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suffixes(names) => write!(f, "{names:?}"),
            Self::Pattern(pattern) => write!(f, "{:?}", pattern.as_str()),
            Self::AllLinear => write!(f, "{ALL_LINEAR:?}"),
        }
    }
}

impl Serialize for TargetModules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Suffixes(names) => names.serialize(serializer),
            Self::Pattern(pattern) => pattern.as_str().serialize(serializer),
            Self::AllLinear => ALL_LINEAR.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TargetModules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = TargetModules;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of module names, a regular expression or {ALL_LINEAR:?}")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text == ALL_LINEAR {
                    return Ok(TargetModules::AllLinear);
                }
                anchored(text).map(TargetModules::Pattern).map_err(E::custom)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(TargetModules::Suffixes)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
