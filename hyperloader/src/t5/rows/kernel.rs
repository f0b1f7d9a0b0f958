//! Attention of tokens that belong to different rows and positions, straight on the buffers.

use candle_core::{CpuStorage, CustomOp3, Layout, Result as CandleResult, Shape, Tensor, bail};
use peft_core::ops::vectorised;
use rayon::prelude::*;

use super::RowTerms;
use super::places::Place;
use crate::Result;
use crate::t5::attention::KeyValues;

pub(super) fn attention(q: &Tensor, memory: &KeyValues, heads: usize, terms: &RowTerms<'_>) -> Result<Tensor> {
    let op = RowAttention { heads, terms };
    Ok(q.contiguous()?.apply_op3_no_bwd(&memory.keys.contiguous()?, &memory.values.contiguous()?, &op)?)
}

/// Over `(q [b, l, width], keys [rows, all, width], values)`.
struct RowAttention<'a> {
    heads: usize,
    terms: &'a RowTerms<'a>,
}

/// Keys or values `[rows, all, width]`.
#[derive(Clone, Copy)]
struct Buffer<'a> {
    data: &'a [f32],
    all: usize,
    width: usize,
}

impl<'a> Buffer<'a> {
    /// What head `head` has in row `row`: one stretch of `d` for each key.
    #[inline(always)]
    fn head(self, row: usize, head: usize, d: usize) -> impl Iterator<Item = &'a [f32]> {
        let row = self.data.get(row * self.all * self.width..).unwrap_or_default();
        row.chunks_exact(self.width.max(1)).map(move |key| key.get(head * d..(head + 1) * d).unwrap_or_default())
    }
}

impl RowAttention<'_> {
    /// What the query `q [width]` of the token at `place` finds, into `y [width]`.
    #[inline(always)]
    fn token(
        &self,
        y: &mut [f32],
        q: &[f32],
        place: Place,
        keys: Buffer<'_>,
        values: Buffer<'_>,
        scores: &mut Vec<f32>,
    ) {
        let (row, seen) = self.terms.seen(place, keys.all);
        let d = keys.width / self.heads.max(1);
        for (head, (q, y)) in q.chunks_exact(d.max(1)).zip(y.chunks_exact_mut(d.max(1))).enumerate() {
            scores.clear();
            // Not `extend`, whose loop would not be compiled for the processor's vectors.
            scores.resize(seen, 0.);
            for (score, key) in scores.iter_mut().zip(keys.head(row, head, d)) {
                *score = dot(q, key);
            }
            self.terms.add(scores, place, row, head);
            softmax(scores);
            for (p, value) in scores.iter().zip(values.head(row, head, d)) {
                y.iter_mut().zip(value).for_each(|(y, value)| *y += p * value);
            }
        }
    }
}

impl CustomOp3 for RowAttention<'_> {
    fn name(&self) -> &'static str {
        "row attention"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (q, k, v) = (argument(s1, l1)?, argument(s2, l2)?, argument(s3, l3)?);
        let (_, _, width) = l1.shape().dims3()?;
        let (_, all, key_width) = l2.shape().dims3()?;
        let places = &self.terms.places.0;
        if key_width != width || l2.dims() != l3.dims() || q.len() != places.len() * width {
            bail!("row attention: q {:?}, {} places, k {:?}, v {:?}", l1.dims(), places.len(), l2.dims(), l3.dims());
        }
        let buffer = |data| Buffer { data, all, width };
        let mut y = vec![0.; q.len()];
        let tokens = y.par_chunks_mut(width.max(1)).zip(q.par_chunks(width.max(1))).zip(places);
        tokens.for_each_init(Vec::new, |scores, ((y, q), place)| {
            if let Some(place) = place {
                vectorised(|| self.token(y, q, *place, buffer(k), buffer(v), scores));
            }
        });
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }
}

fn argument<'a>(storage: &'a CpuStorage, layout: &Layout) -> CandleResult<&'a [f32]> {
    let data = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets().and_then(|(start, end)| data.get(start..end)) {
        Some(values) => Ok(values),
        None => bail!("row attention: expected a contiguous argument, got {layout:?}"),
    }
}

/// Sixteen sums at once, which is what lets the compiler use the widest registers there are.
const LANES: usize = 16;

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_lanes.remainder().iter().zip(b_lanes.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_lanes.zip(b_lanes) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + rest
}

#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.;
    for score in scores.iter_mut() {
        *score = (*score - max).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}
