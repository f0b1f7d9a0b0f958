//! Inverted dropout with a counter-based random generator, which needs no state and no mask tensor.
//!
//! | file | is |
//! |---|---|
//! | `fused.rs` | the operation on the CPU |
//! | `cuda.rs` | the operation on CUDA |
//! | `device.rs` | the operation on any device, without a gradient |

mod cuda;
mod device;
mod fused;
#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod source_tests;

use candle_core::{Result, Tensor, bail};

pub(crate) use self::device::dropped_on_device;
use self::device::{OnAnyDevice, factors_on};
pub(crate) use self::fused::dropped;
use crate::graph::composed1;
use crate::kernels::{Kernels, Path};
use crate::operation::Fused;

/// The random numbers of one dropout: whether element `i` is kept depends on `(seed, stream, i)` only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutKey {
    /// The probability that an element is dropped, in `[0, 1)`.
    pub p: f64,
    /// The seed of the run.
    pub seed: u64,
    /// The number of this dropout in the run. Two layers, or two steps, need different streams.
    pub stream: u64,
}

/// `2^32`.
const TWO_POW_32: f64 = 4_294_967_296.0;
/// The increment of SplitMix64: `2^64 / golden ratio`, rounded to an odd number.
const INCREMENT: u64 = 0x9E37_79B9_7F4A_7C15;

/// Elements that are decided together.
const GROUP: usize = 16;

/// The finalizer of SplitMix64: a bijection of 64 bits. Its outputs for consecutive counters pass BigCrush.
#[inline(always)]
const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A validated [`DropoutKey`], ready to be applied to elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropper {
    base: u64,
    threshold: u32,
    scale: f32,
}

impl Dropper {
    /// Fails unless `0 <= p < 1`.
    pub(crate) fn new(key: DropoutKey) -> Result<Self> {
        if !(0.0..1.0).contains(&key.p) {
            bail!("dropout: p = {} is not in [0, 1)", key.p);
        }
        Ok(Self {
            base: mix(key.seed.wrapping_add(mix(key.stream.wrapping_add(INCREMENT)))),
            threshold: (key.p * TWO_POW_32) as u32,
            scale: (1.0 / (1.0 - key.p)) as f32,
        })
    }

    /// `None` if nothing is dropped, because there is no key or `p` is 0. Fails unless `0 <= p < 1`.
    pub(crate) fn of(key: Option<DropoutKey>) -> Result<Option<Self>> {
        key.filter(|key| key.p != 0.0).map(Self::new).transpose()
    }

    /// 64 random bits, which decide elements `2 pair` and `2 pair + 1`.
    #[inline(always)]
    fn bits(&self, pair: u64) -> u64 {
        mix(self.base.wrapping_add(pair.wrapping_mul(INCREMENT)))
    }

    #[inline(always)]
    fn decide(&self, bits: u32, value: f32) -> f32 {
        if bits >= self.threshold { value * self.scale } else { 0.0 }
    }

    /// Drops or scales `values` in place. The first one has index `start`.
    #[inline(always)]
    pub(crate) fn apply(&self, start: usize, values: &mut [f32]) {
        let odd = (start & 1).min(values.len());
        let (head, tail) = values.split_at_mut(odd);
        for value in head {
            *value = self.decide((self.bits(start as u64 / 2) >> 32) as u32, *value);
        }
        let first = (start + odd) as u64 / 2;
        let (groups, rest) = tail.as_chunks_mut::<GROUP>();
        let rest_first = first + (groups.len() * GROUP / 2) as u64;
        for (pair, group) in (first..).step_by(GROUP / 2).zip(groups) {
            let mut bits = [0u64; GROUP / 2];
            for (bits, pair) in bits.iter_mut().zip(pair..) {
                *bits = self.bits(pair);
            }
            let (pairs, _) = group.as_chunks_mut::<2>();
            for ([even, odd], bits) in pairs.iter_mut().zip(bits) {
                *even = self.decide(bits as u32, *even);
                *odd = self.decide((bits >> 32) as u32, *odd);
            }
        }
        for (pair, values) in (rest_first..).zip(rest.chunks_mut(2)) {
            let bits = self.bits(pair);
            let halves = [bits as u32, (bits >> 32) as u32];
            for (value, half) in values.iter_mut().zip(halves) {
                *value = self.decide(half, *value);
            }
        }
    }

    /// The factor of an element that is kept: `1 / (1 - p)`.
    pub(crate) fn scale(&self) -> f32 {
        self.scale
    }

    /// The factors of elements `0..n`, each 0 or `1 / (1 - p)`.
    pub(crate) fn factors(&self, n: usize) -> Vec<f32> {
        let mut factors = vec![1.0; n];
        self.apply(0, &mut factors);
        factors
    }
}

/// Inverted dropout: `y_i = 0` with probability `p`, else `y_i = x_i / (1 - p)`.
///
/// `x` may have any shape, which is the result's. The gradient reaches `x` if it is tracked.
///
/// Element `i`, in row-major order, is kept if the 32 random bits of `(seed, stream, i)` are at least `p 2^32`. These are the
/// same elements for both kernels, any number of threads and any device. The backward pass draws the bits again, so no mask
/// is stored. With `p = 0` the result is `x` itself. On CUDA, `f32` and `bf16` tensors have a kernel, with the feature `cuda`.
///
/// # Errors
///
/// If `p` is not in `[0, 1)`.
pub fn dropout(x: &Tensor, key: DropoutKey, kernels: Kernels) -> Result<Tensor> {
    let dropper = Dropper::new(key)?;
    if key.p == 0.0 {
        return Ok(x.clone());
    }
    match kernels.path_for(&[x]) {
        Path::Cpu => x.contiguous()?.apply_op1(Fused(dropper)),
        Path::Device => composed1(OnAnyDevice(dropper), x),
        Path::Plain => dropout_plain(x, key),
    }
}

/// [`dropout`], composed of candle's own operations, with a mask tensor.
///
/// # Errors
///
/// As [`dropout`].
pub fn dropout_plain(x: &Tensor, key: DropoutKey) -> Result<Tensor> {
    let dropper = Dropper::new(key)?;
    if key.p == 0.0 {
        return Ok(x.clone());
    }
    x * factors_on(&dropper, x)?
}

/// [`dropout`] if there is a key, else `x` itself.
pub(crate) fn dropout_if_any(x: &Tensor, key: Option<DropoutKey>, kernels: Kernels) -> Result<Tensor> {
    key.map_or_else(|| Ok(x.clone()), |key| dropout(x, key, kernels))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::Case;
    use candle_core::{DType, Device};

    fn key(p: f64, seed: u64, stream: u64) -> DropoutKey {
        DropoutKey { p, seed, stream }
    }

    /// Which of `n` elements are kept.
    fn kept(key: DropoutKey, n: usize) -> Vec<bool> {
        let factors = Dropper::new(key).unwrap().factors(n);
        factors.iter().map(|f| *f != 0.0).collect()
    }

    /// The share of indices at which both are kept, or both dropped.
    fn agreement(a: &[bool], b: &[bool]) -> f64 {
        let same = a.iter().zip(b).filter(|(a, b)| a == b).count();
        same as f64 / a.len().min(b.len()) as f64
    }

    fn case(dims: &[usize]) -> Case<'static> {
        Case::new(
            "dropout",
            &[dims],
            |t, kernels| dropout(&t[0], key(0.3, 1, 2), kernels),
            |t| dropout_plain(&t[0], key(0.3, 1, 2)),
        )
    }

    #[test]
    fn values_and_gradients_agree_with_plain_f64() {
        case(&[3, 5]).agrees(2e-7);
        case(&[7, 50, 101]).agrees(2e-7);
    }

    #[test]
    fn plain_gradients_are_the_finite_differences() {
        case(&[2, 5]).matches_finite_differences();
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        case(&[7, 50, 101]).is_deterministic();
    }

    #[test]
    fn the_share_of_kept_elements_is_1_minus_p_and_the_mean_stays() {
        let n = 1 << 20;
        for p in [0.0, 0.1, 0.5, 0.9] {
            let factors = Dropper::new(key(p, 42, 7)).unwrap().factors(n);
            let kept = factors.iter().filter(|f| **f != 0.0).count() as f64 / n as f64;
            let deviation = (p * (1.0 - p) / n as f64).sqrt();
            assert!((kept - (1.0 - p)).abs() <= 4.0 * deviation, "p {p}: kept {kept}");
            let scale = (1.0 / (1.0 - p)) as f32;
            assert!(factors.iter().all(|f| *f == 0.0 || *f == scale));
        }
    }

    #[test]
    fn neighbors_streams_and_seeds_are_independent() {
        let n = 1 << 18;
        let four_sigma = 4.0 * 0.5 / (n as f64).sqrt();
        let first = kept(key(0.5, 1, 1), n);
        for other in [key(0.5, 1, 2), key(0.5, 2, 1), key(0.5, 0, 0), key(0.5, 1 << 32, 1)] {
            let agreement = agreement(&first, &kept(other, n));
            assert!((agreement - 0.5).abs() < four_sigma, "{other:?}: {agreement}");
        }
        for lag in [1, 2, 3, 64, 512, 4096] {
            let agreement = agreement(&first, &first[lag..]);
            assert!((agreement - 0.5).abs() < 2.0 * four_sigma, "lag {lag}: {agreement}");
        }
    }

    #[test]
    fn a_decision_depends_on_the_index_alone() {
        let dropper = Dropper::new(key(0.4, 3, 4)).unwrap();
        let whole = dropper.factors(100);
        for start in [0, 1, 2, 7, 99] {
            for len in [0, 1, 2, 5] {
                let end = (start + len).min(100);
                let mut part = vec![1.0; end - start];
                dropper.apply(start, &mut part);
                assert_eq!(part, whole[start..end]);
            }
        }
    }

    #[test]
    fn p_0_is_the_identity_and_p_outside_0_to_1_an_error() {
        let x = Tensor::ones((2, 3), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(dropout(&x, key(0.0, 0, 0), Kernels::Fused).unwrap().id(), x.id());
        for p in [-0.1, 1.0, f64::NAN] {
            for kernels in [Kernels::Fused, Kernels::Plain] {
                let error = dropout(&x, key(p, 0, 0), kernels).unwrap_err();
                assert!(error.to_string().contains("[0, 1)"));
            }
        }
    }
}
