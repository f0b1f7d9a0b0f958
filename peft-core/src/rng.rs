//! Counter-based random numbers: element `i` of stream `s` under seed `k` is a pure function of `(k, s, i)`.
//!
//! There is no state, so the numbers do not depend on the number of threads, and a run that resumes at step 1000 needs
//! nothing from the steps before. The mixing function is SplitMix64's finalizer
//! (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014).

/// SplitMix64's increment, the golden ratio in 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A bijection of 64 bits that scatters neighboring numbers.
#[inline]
pub const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The stream number for `name`: FNV-1a, then mixed.
pub fn stream_of(name: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    mix(hash)
}

/// One stream of random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream(u64);

impl Stream {
    /// The stream number `stream` under `seed`.
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self(mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(stream.wrapping_mul(GOLDEN))))
    }

    /// 64 random bits at `index`.
    #[inline]
    pub const fn bits(self, index: u64) -> u64 {
        mix(self.0.wrapping_add(index.wrapping_add(1).wrapping_mul(GOLDEN)))
    }

    /// A number of the uniform distribution on `[0, 1)`, with 53 random bits.
    #[inline]
    pub fn uniform(self, index: u64) -> f64 {
        const SCALE: f64 = 1.0 / (1u64 << 53) as f64;
        (self.bits(index) >> 11) as f64 * SCALE
    }

    /// A number of the standard normal distribution (Box and Muller, of the uniform numbers `2 index` and `2 index + 1`).
    #[inline]
    pub fn normal(self, index: u64) -> f64 {
        // 1 - u is in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.uniform(2 * index)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(2 * index + 1)).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_pure_function_of_seed_stream_and_index() {
        let stream = Stream::new(42, stream_of("encoder.q"));
        assert_eq!(stream.bits(7), Stream::new(42, stream_of("encoder.q")).bits(7));
        assert_ne!(stream.bits(7), stream.bits(8));
        assert_ne!(stream.bits(7), Stream::new(43, stream_of("encoder.q")).bits(7));
        assert_ne!(stream.bits(7), Stream::new(42, stream_of("encoder.v")).bits(7));
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let (stream, n) = (Stream::new(1, 2), 200_000u64);
        let draws: Vec<f64> = (0..n).map(|i| stream.normal(i)).collect();
        let mean = draws.iter().sum::<f64>() / n as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        let kurtosis = draws.iter().map(|x| (x - mean).powi(4)).sum::<f64>() / n as f64 / variance.powi(2);
        // Five standard errors: 5/√n, 5·√(2/n), 5·√(24/n).
        assert!(mean.abs() < 0.0112, "{mean}");
        assert!((variance - 1.).abs() < 0.0159, "{variance}");
        assert!((kurtosis - 3.).abs() < 0.055, "{kurtosis}");
    }
}
