//! The options of the noise in pretraining.

use smart_default::SmartDefault;

use crate::error::{Error, Result};

/// How plain text becomes pairs.
#[derive(Debug, Clone, PartialEq, SmartDefault)]
pub struct NoiseOptions {
    /// The share of tokens that span corruption hides. Default 0.15, as in T5.
    #[default(0.15)]
    pub noise_density: f64,
    /// The mean length of a hidden span, in tokens. Default 3, as in T5.
    #[default(3.0)]
    pub mean_span_length: f64,
    /// The share of pairs that are sentinel copying. The others are span corruption. Default 0.5.
    #[default(0.5)]
    pub copy_fraction: f64,
    /// The share of words that sentinel copying replaces by words of a given list. Default 0.3.
    #[default(0.3)]
    pub word_noise: f64,
    /// The share of sentinel copyings that copy a random part of the sentence, one word or more. The words keep the
    /// sentinels that they have in the whole sentence. A small model learns the meaning of sentinels from short parts
    /// first. Default 0.
    pub copy_stretch: f64,
    /// The maximal number of ids of a source, including `</s>`. Default 128.
    #[default(128)]
    pub max_source_length: usize,
    /// The maximal number of ids of a target, including `</s>`. Default 128.
    #[default(128)]
    pub max_target_length: usize,
}

impl NoiseOptions {
    /// Checks every option.
    ///
    /// # Errors
    /// If an option is out of its range. The message names both.
    pub fn validate(&self) -> Result<()> {
        let inside = self.noise_density > 0.0 && self.noise_density < 1.0;
        require(inside, "noise_density", self.noise_density, "greater than 0 and less than 1")?;
        let whole = self.mean_span_length >= 1.0 && self.mean_span_length.is_finite();
        require(whole, "mean_span_length", self.mean_span_length, "1 or more")?;
        for (name, share) in [
            ("copy_fraction", self.copy_fraction),
            ("word_noise", self.word_noise),
            ("copy_stretch", self.copy_stretch),
        ] {
            require((0.0..=1.0).contains(&share), name, share, "from 0 to 1")?;
        }
        let lengths = [("max_source_length", self.max_source_length), ("max_target_length", self.max_target_length)];
        for (name, length) in lengths {
            // The shortest pair that hides something: `<extra_id_0> x <extra_id_1> </s>`.
            require(length >= 4, name, length, "4 or more")?;
        }
        Ok(())
    }
}

fn require(holds: bool, name: &str, value: impl std::fmt::Display, range: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Invalid(format!("{name} is {value}; it must be {range}"))) }
}
