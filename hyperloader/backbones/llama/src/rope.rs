//! Rotary positions: the angles by which the features of queries and keys are rotated.

use candle_core::Tensor;
use peft_core::Result;
use peft_kernels::transfer;
use serde::{Deserialize, Serialize};

/// Rotary frequencies for another context than the one that the model was pretrained with: `rope_scaling` in `config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rope_type", rename_all = "snake_case")]
pub enum RopeScaling {
    /// None: frequencies stay.
    Default,
    /// Llama 3 (arXiv 2407.21783). A frequency `f` becomes `(1 - m) f / factor + m f` with
    /// `m = clamp((original_max_position_embeddings · f / 2π - low_freq_factor) / (high_freq_factor - low_freq_factor), 0, 1)`.
    Llama3 {
        /// How many times longer the context is.
        factor: f64,
        /// Below this number of turns within the original context, a frequency is divided by `factor`.
        low_freq_factor: f64,
        /// Above this number of turns, a frequency stays.
        high_freq_factor: f64,
        /// The length of the original context.
        original_max_position_embeddings: usize,
    },
}

impl RopeScaling {
    fn scaled(&self, frequency: f64) -> f64 {
        let Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } = *self else {
            return frequency;
        };
        let turns = original_max_position_embeddings as f64 * frequency / std::f64::consts::TAU;
        let kept = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0., 1.);
        (1. - kept) * frequency / factor + kept * frequency
    }
}

/// The frequencies of the pairs of features of a head: `theta^(-2i/d)`, scaled.
#[derive(Debug, Clone)]
pub(crate) struct Frequencies(Vec<f32>);

impl Frequencies {
    pub(crate) fn new(head_dim: usize, theta: f64, scaling: Option<&RopeScaling>) -> Self {
        let plain = (0..head_dim / 2).map(|i| theta.powf(-2. * i as f64 / head_dim as f64));
        Self(plain.map(|frequency| scaling.map_or(frequency, |scaling| scaling.scaled(frequency)) as f32).collect())
    }

    /// Cosines and sines at `positions`, one row of them for each row of the batch, or one for all: `[batch, length, d / 2]` or
    /// `[length, d / 2]`, of the type and on the device of `like`.
    pub(crate) fn angles(&self, positions: &[Vec<usize>], like: &Tensor) -> Result<Angles> {
        let length = positions.first().map_or(0, Vec::len);
        let mut shape = vec![length, self.0.len()];
        if positions.len() > 1 {
            shape.insert(0, positions.len());
        }
        // In single precision, as in `transformers`.
        let angles = || positions.iter().flatten().flat_map(|position| self.0.iter().map(|f| *position as f32 * f));
        let tensor =
            |values: Vec<f32>| transfer::upload(values, shape.as_slice(), like.device())?.to_dtype(like.dtype());
        Ok(Angles { cos: tensor(angles().map(f32::cos).collect())?, sin: tensor(angles().map(f32::sin).collect())? })
    }
}

/// Cosines and sines of a call's positions.
#[derive(Debug, Clone)]
pub(crate) struct Angles {
    pub(crate) cos: Tensor,
    pub(crate) sin: Tensor,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn fast_frequencies_stay_and_slow_ones_are_divided() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.,
            low_freq_factor: 1.,
            high_freq_factor: 4.,
            original_max_position_embeddings: 8192,
        };
        let plain = Frequencies::new(64, 500_000., None).0;
        let scaled = Frequencies::new(64, 500_000., Some(&scaling)).0;
        assert_eq!((plain[0], scaled[0]), (1., 1.));
        let ratio = |i: usize| plain[i] / scaled[i];
        assert_eq!((ratio(10), ratio(31)), (1., 8.));
        // Wavelengths between 8192 / 4 and 8192 / 1.
        let between: Vec<usize> = (0..32).filter(|i| ratio(*i) > 1.001 && ratio(*i) < 7.999).collect();
        let wavelength = |i: &usize| std::f32::consts::TAU / plain[*i];
        assert!(!between.is_empty() && between.iter().all(|i| (2048. ..8192.).contains(&wavelength(i))), "{between:?}");
    }

    #[test]
    fn rows_have_their_own_angles_where_their_positions_differ() {
        let frequencies = Frequencies::new(4, 100., None);
        let like = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        let one = frequencies.angles(&[vec![0, 1]], &like).unwrap();
        assert_eq!(one.cos.to_vec2::<f32>().unwrap(), [[1., 1.], [1f32.cos(), 0.1f32.cos()]]);
        let two = frequencies.angles(&[vec![0, 1], vec![5, 6]], &like).unwrap();
        assert_eq!(two.sin.dims(), [2, 2, 2]);
        assert_eq!(two.sin.to_vec3::<f32>().unwrap()[1][0], [5f32.sin(), 0.5f32.sin()]);
    }
}
