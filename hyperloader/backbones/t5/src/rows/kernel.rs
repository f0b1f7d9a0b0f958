//! Attention of tokens that belong to different rows and positions, straight on the buffers.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp3, Layout, Result as CandleResult, Shape, Tensor, WithDType, bail};
use half::bf16;
use peft_kernels::softmax_row;
use peft_kernels::vectorized;
use rayon::prelude::*;

use super::PackedTerms;
use super::places::Place;
use crate::Result;
use crate::attention::KeyValues;

/// Successive tokens of one row that go over its keys and values together, so that these are fetched once for all.
const TOGETHER: usize = 4;
/// Values that are added up before their sum is written.
const AT_ONCE: usize = 4;

pub(super) fn attention(q: &Tensor, memory: &KeyValues, heads: usize, terms: &PackedTerms<'_>) -> Result<Tensor> {
    let op = RowAttention { heads, terms };
    Ok(q.contiguous()?.apply_op3_no_bwd(&memory.keys.contiguous()?, &memory.values.contiguous()?, &op)?)
}

/// Over `(q [b, l, width], keys [rows, all, width], values)`.
struct RowAttention<'a> {
    heads: usize,
    terms: &'a PackedTerms<'a>,
}

/// Keys and values `[rows, all, width]`.
#[derive(Clone, Copy)]
struct Buffers<'a> {
    keys: Numbers<'a>,
    values: Numbers<'a>,
    all: usize,
    width: usize,
}

/// Numbers as they are kept.
#[derive(Clone, Copy)]
enum Numbers<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

impl<'a> Numbers<'a> {
    fn argument(storage: &'a CpuStorage, layout: &Layout) -> CandleResult<Self> {
        match storage {
            CpuStorage::BF16(_) => Ok(Self::Bf16(argument(storage, layout)?)),
            _ => Ok(Self::F32(argument(storage, layout)?)),
        }
    }

    /// Those of `range`, which are widened into `room` if need be.
    #[inline(always)]
    fn get<'b>(self, range: Range<usize>, room: &'b mut [f32]) -> &'b [f32]
    where
        'a: 'b,
    {
        match self {
            Self::F32(numbers) => numbers.get(range).unwrap_or_default(),
            Self::Bf16(numbers) => {
                let room = room.get_mut(..range.len()).unwrap_or_default();
                for (wide, number) in room.iter_mut().zip(numbers.get(range).unwrap_or_default()) {
                    *wide = f32::from_bits(u32::from(number.to_bits()) << 16);
                }
                room
            }
        }
    }
}

/// Successive tokens of a row: what they find, zeros before, and their queries, `[tokens, width]` each; the first one's place.
struct Run<'a> {
    y: &'a mut [f32],
    q: &'a [f32],
    first: Place,
}

/// Memory that one run after the other uses.
#[derive(Default)]
struct Scratch {
    /// `[tokens, heads, keys]`
    scores: Vec<f32>,
    /// `[heads]`
    sums: Vec<[f32; LANES]>,
    /// Keys or values that were widened, `[AT_ONCE, width]`.
    room: Vec<f32>,
}

vectorized! {
    /// What the queries of a run find. Keys and values are read from the first to the last, all heads of each, as they lie in
    /// memory: head by head, every piece of one would have to be fetched on its own.
    fn find(attention: &RowAttention<'_>, run: Run<'_>, buffers: Buffers<'_>, scratch: &mut Scratch) {
        let Scratch { scores, sums, room } = scratch;
        let Run { y, q, first } = run;
        let Buffers { keys, values, all, width } = buffers;
        let heads = attention.heads.max(1);
        let d = (width / heads).max(1);
        let place = |token: usize| Place { position: first.position + token, ..first };
        // The last token sees whatever those before it see.
        let seen = attention.terms.seen(place((q.len() / width.max(1)).saturating_sub(1)), all);
        let count = seen.len();
        if count == 0 {
            return;
        }
        let range = |first: usize, count: usize| {
            let from = (seen.start + first) * width;
            from..from + count * width
        };
        // Not `extend`, whose loop would not be compiled for the processor's vectors.
        scores.clear();
        scores.resize(q.len() / d * count, 0.);
        sums.resize(heads, [0.; LANES]);
        room.resize(AT_ONCE * width, 0.);
        for i in 0..count {
            let key = keys.get(range(i, 1), room);
            for (q, scores) in q.chunks_exact(width).zip(scores.chunks_exact_mut(heads * count)) {
                for ((q, key), sums) in q.chunks_exact(d).zip(key.chunks_exact(d)).zip(sums.iter_mut()) {
                    *sums = products(q, key);
                }
                // Apart from the products, which would be computed in pairs of numbers like these sums.
                for (scores, sums) in scores.chunks_exact_mut(count).zip(sums.iter()) {
                    if let Some(score) = scores.get_mut(i) {
                        *score = sum(sums);
                    }
                }
            }
        }
        for (token, scores) in scores.chunks_exact_mut(heads * count).enumerate() {
            let place = place(token);
            let seen = attention.terms.seen(place, all).len().min(count);
            for (head, scores) in scores.chunks_exact_mut(count).enumerate() {
                let (own, others) = scores.split_at_mut(seen);
                attention.terms.add(own, place, head);
                softmax_row(own);
                others.fill(0.);
            }
        }
        for i in 0..count / AT_ONCE {
            let four = values.get(range(i * AT_ONCE, AT_ONCE), room);
            let [a, b, c, e] = std::array::from_fn(|value| four.get(value * width..).unwrap_or_default());
            for (y, p) in y.chunks_exact_mut(width).zip(scores.chunks_exact(heads * count)) {
                let values = a.chunks_exact(d).zip(b.chunks_exact(d)).zip(c.chunks_exact(d)).zip(e.chunks_exact(d));
                for ((y, p), (((a, b), c), e)) in y.chunks_exact_mut(d).zip(p.chunks_exact(count)).zip(values) {
                    if let Some(p) = p.get(i * AT_ONCE..).and_then(<[f32]>::first_chunk) {
                        add_four(y, p, [a, b, c, e]);
                    }
                }
            }
        }
        for i in count - count % AT_ONCE..count {
            let value = values.get(range(i, 1), room);
            for (y, p) in y.chunks_exact_mut(width).zip(scores.chunks_exact(heads * count)) {
                for ((y, p), value) in y.chunks_exact_mut(d).zip(p.chunks_exact(count)).zip(value.chunks_exact(d)) {
                    add_one(y, p.get(i).copied().unwrap_or_default(), value);
                }
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
        let q: &[f32] = argument(s1, l1)?;
        let (keys, values) = (Numbers::argument(s2, l2)?, Numbers::argument(s3, l3)?);
        let (_, _, width) = l1.shape().dims3()?;
        let (_, all, key_width) = l2.shape().dims3()?;
        let places = self.terms.places;
        if key_width != width || l2.dims() != l3.dims() || q.len() != places.0.len() * width {
            bail!("row attention: q {:?}, {} places, k {:?}, v {:?}", l1.dims(), places.0.len(), l2.dims(), l3.dims());
        }
        let mut y = vec![0.; q.len()];
        let (mut runs, mut behind, mut next) = (Vec::with_capacity(places.0.len()), y.as_mut_slice(), 0);
        for (first, count, place) in places.runs() {
            for token in (0..count).step_by(TOGETHER) {
                let (from, to) = (first + token, first + count.min(token + TOGETHER));
                let rest = behind.split_off_mut((from - next) * width..).unwrap_or_default();
                let (own, rest) = rest.split_at_mut_checked((to - from) * width).unwrap_or_default();
                let q = q.get(from * width..to * width).unwrap_or_default();
                runs.push(Run { y: own, q, first: Place { position: place.position + token, ..place } });
                (behind, next) = (rest, to);
            }
        }
        let buffers = Buffers { keys, values, all, width };
        runs.into_par_iter().for_each_init(Scratch::default, |scratch, run| find(self, run, buffers, scratch));
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }
}

fn argument<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> CandleResult<&'a [T]> {
    let data = storage.as_slice::<T>()?;
    match layout.contiguous_offsets().and_then(|(start, end)| data.get(start..end)) {
        Some(values) => Ok(values),
        None => bail!("row attention: expected a contiguous argument, got {layout:?}"),
    }
}

/// Sums of a product of vectors that are kept apart.
const LANES: usize = 16;

/// `a · b` in parts: sum `i` has the products `i`, `i + 16`, `i + 32` and so on.
#[inline(always)]
fn products(a: &[f32], b: &[f32]) -> [f32; LANES] {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    if !a_rest.is_empty() {
        for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
            *sum += a * b;
        }
    }
    sums
}

/// The sum of all lanes, by halves: one after the other would wait for each addition.
#[inline(always)]
fn sum(lanes: &[f32; LANES]) -> f32 {
    let eight: [f32; 8] = halved(lanes);
    let [a, b, c, d] = halved(&eight);
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

/// `y += p_1 a + p_2 b + p_3 c + p_4 d`, in that order.
#[inline(always)]
fn add_four(y: &mut [f32], [p, q, r, s]: &[f32; AT_ONCE], [a, b, c, d]: [&[f32]; AT_ONCE]) {
    for ((((y, a), b), c), d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *y = *y + p * a + q * b + r * c + s * d;
    }
}

/// `y += p a`.
#[inline(always)]
fn add_one(y: &mut [f32], p: f32, a: &[f32]) {
    for (y, a) in y.iter_mut().zip(a) {
        *y += p * a;
    }
}
