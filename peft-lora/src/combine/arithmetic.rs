//! Weighted sums of tensors of one shape, with elements dropped or outvoted.

use candle_core::Tensor;
use peft_core::rng::{Stream, stream_of};
use peft_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// How TIES decides the sign of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MajoritySignMethod {
    /// The sign of the sum: large elements count more. The default.
    #[default]
    Total,
    /// The sign that occurs more often.
    Frequency,
}

/// One tensor of a sum.
#[derive(Debug)]
pub(super) struct Term<'a> {
    pub(super) tensor: &'a Tensor,
    pub(super) factor: f64,
    /// Adapter, site and part. Random choices depend on it.
    pub(super) name: String,
}

/// How tensors are combined.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arithmetic {
    /// `Σ f_i T_i`.
    Sum,
    /// `Σ f_i drop(T_i)`.
    Sparse(Drop),
    /// Element by element, the mean of those `f_i drop(T_i)` whose `drop(T_i)` has the majority's sign.
    Vote { drop: Drop, majority: MajoritySignMethod },
}

/// Which elements become zero.
#[derive(Debug, Clone, Copy)]
pub(super) enum Drop {
    /// All except the given share with the largest absolute values. Of equal values the first ones stay.
    Smallest(f64),
    /// Each one with probability `1 - density`. The others are divided by `density`.
    Random { density: f64, seed: u64 },
}

impl Arithmetic {
    /// One tensor of the shape of the first.
    pub(super) fn combine(&self, terms: &[Term<'_>]) -> Result<Tensor> {
        let first = terms.first().ok_or_else(|| Error::Mismatch("a sum without terms".into()))?.tensor;
        let mut values = Vec::with_capacity(terms.len());
        for term in terms {
            let mut kept: Vec<f32> = term.tensor.flatten_all()?.to_vec1()?;
            match self {
                Self::Sum => {}
                Self::Sparse(drop) | Self::Vote { drop, .. } => drop.apply(&mut kept, &term.name),
            }
            values.push((term.factor, kept));
        }
        let element =
            |i: usize| values.iter().map(move |(f, v)| (*f, f64::from(v.get(i).copied().unwrap_or_default())));
        let one = |i: usize| match self {
            Self::Vote { majority, .. } => voted(element(i), *majority),
            Self::Sum | Self::Sparse(_) => element(i).map(|(factor, value)| factor * value).sum(),
        };
        let combined: Vec<f32> = (0..first.elem_count()).map(|i| one(i) as f32).collect();
        Ok(Tensor::from_vec(combined, first.shape(), first.device())?)
    }
}

/// The mean of the weighted values with the majority's sign. Zeros have no vote and do not count.
fn voted(terms: impl Iterator<Item = (f64, f64)> + Clone, majority: MajoritySignMethod) -> f64 {
    let sign = |value: f64| if value == 0. { 0. } else { value.signum() };
    let votes: f64 = match majority {
        MajoritySignMethod::Total => terms.clone().map(|(_, value)| value).sum(),
        MajoritySignMethod::Frequency => terms.clone().map(|(_, value)| sign(value)).sum(),
    };
    let elected = if votes >= 0. { 1. } else { -1. };
    let agree = terms.filter(|(_, value)| sign(*value) == elected);
    let (sum, count) = agree.fold((0., 0.), |(sum, count), (factor, value)| (sum + factor * value, count + 1.));
    sum / f64::max(count, 1.)
}

impl Drop {
    fn apply(self, values: &mut [f32], name: &str) {
        match self {
            // The share is rounded down, as peft does.
            Self::Smallest(density) => keep_largest(values, (density * values.len() as f64) as usize),
            Self::Random { density, seed } => {
                let stream = Stream::new(seed, stream_of(name));
                for (i, value) in (0..).zip(values) {
                    *value = if stream.uniform(i) < density { *value / density as f32 } else { 0. };
                }
            }
        }
    }
}

fn keep_largest(values: &mut [f32], count: usize) {
    let mut order: Vec<(f32, usize)> = values.iter().enumerate().map(|(place, value)| (value.abs(), place)).collect();
    order.sort_by(|(a, i), (b, j)| b.total_cmp(a).then(i.cmp(j)));
    for (_, place) in order.into_iter().skip(count) {
        if let Some(value) = values.get_mut(place) {
            *value = 0.;
        }
    }
}
