//! Attention of tokens that belong to different rows and positions, straight on the buffers.

use candle_core::{CpuStorage, CustomOp3, Layout, Result as CandleResult, Shape, Tensor, bail};
use peft_core::vectorised;
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
    fn head(self, row: usize, head: usize, d: usize) -> impl Iterator<Item = &'a [f32]> + Clone {
        let row = self.data.get(row * self.all * self.width..).unwrap_or_default();
        row.chunks_exact(self.width.max(1)).map(move |key| key.get(head * d..(head + 1) * d).unwrap_or_default())
    }
}

vectorised! {
    /// What the query `q [width]` of the token at `place` finds, into `y [width]`.
    fn token(
        attention: &RowAttention<'_>,
        y: &mut [f32],
        q: &[f32],
        place: Place,
        keys: Buffer<'_>,
        values: Buffer<'_>,
        scores: &mut Vec<f32>,
    ) {
        let (row, seen) = attention.terms.seen(place, keys.all);
        let d = keys.width / attention.heads.max(1);
        for (head, (q, y)) in q.chunks_exact(d.max(1)).zip(y.chunks_exact_mut(d.max(1))).enumerate() {
            scores.clear();
            // Not `extend`, whose loop would not be compiled for the processor's vectors.
            scores.resize(seen, 0.);
            for (score, key) in scores.iter_mut().zip(keys.head(row, head, d)) {
                *score = dot(q, key);
            }
            attention.terms.add(scores, place, row, head);
            softmax(scores);
            weighted(y, scores, values.head(row, head, d));
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
                token(self, y, q, *place, buffer(k), buffer(v), scores);
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

/// Numbers of a head that are summed at once: as many vectors as hide the latency of one.
const WIDTH: usize = 64;

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<WIDTH>();
    let (b, b_rest) = b.as_chunks::<WIDTH>();
    let mut sums = [0f32; WIDTH];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += a * b;
    }
    // By halves: one after the other would wait for each addition.
    let sums: [f32; 32] = halved(&sums);
    let sums: [f32; 16] = halved(&sums);
    let sums: [f32; 8] = halved(&sums);
    let sums: [f32; 4] = halved(&sums);
    let [a, b, c, d] = sums;
    (a + c) + (b + d)
}

/// The sums of the numbers of two halves.
#[inline(always)]
fn halved<const N: usize>(x: &[f32]) -> [f32; N] {
    let mut sums = [0f32; N];
    let (low, high) = x.split_at_checked(N).unwrap_or_default();
    for ((sum, low), high) in sums.iter_mut().zip(low).zip(high) {
        *sum = low + high;
    }
    sums
}

/// `sum_i p_i values_i` into `y`, which holds zeros.
#[inline(always)]
fn weighted<'a>(y: &mut [f32], p: &[f32], values: impl Iterator<Item = &'a [f32]> + Clone) {
    let (wide, rest) = y.as_chunks_mut::<WIDTH>();
    let rest_first = wide.len() * WIDTH;
    for (i, y) in wide.iter_mut().enumerate() {
        let mut sums = [0f32; WIDTH];
        for (p, value) in p.iter().zip(values.clone()) {
            if let Some(value) = value.get(i * WIDTH..).and_then(<[f32]>::first_chunk::<WIDTH>) {
                for (sum, value) in sums.iter_mut().zip(value) {
                    *sum += p * value;
                }
            }
        }
        *y = sums;
    }
    for (p, value) in p.iter().zip(values) {
        for (y, value) in rest.iter_mut().zip(value.get(rest_first..).unwrap_or_default()) {
            *y += p * value;
        }
    }
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
