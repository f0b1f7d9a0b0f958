//! The same attention straight on the buffers of keys and values.

use std::ops::Range;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};
use half::bf16;
use rayon::prelude::*;

use super::positions::TokenPosition;
use super::scores::PackedAttention;
use crate::math::softmax_row;
use crate::values::{argument, tensor, values};
use crate::vectors::vectorized;

/// Successive tokens of one row that read its keys and values together, so that these are fetched once for all.
const TOGETHER: usize = 4;
/// Values that are added up before their sum is written.
const AT_ONCE: usize = 4;

/// Over `q [b, l, width]`, and keys and values `[rows, all, width]`.
pub(super) fn attention(q: &Tensor, (k, v): (&Tensor, &Tensor), options: &PackedAttention<'_>) -> Result<Tensor> {
    let (all, width) = options.key_dims(q, (k, v))?;
    let tokens = options.tokens;
    let (q, k, v) = (q.contiguous()?, k.contiguous()?, v.contiguous()?);
    let (q_values, (k, k_layout), (v, v_layout)) = (values(&q)?, k.storage_and_layout(), v.storage_and_layout());
    let buffers = Buffers { keys: Numbers::of(&k, k_layout)?, values: Numbers::of(&v, v_layout)?, all, width };
    let mut y = vec![0.; q_values.len()];
    let (mut runs, mut rest_of_y, mut next) = (Vec::with_capacity(tokens.0.len()), y.as_mut_slice(), 0);
    for (first, count, start) in tokens.runs() {
        for token in (0..count).step_by(TOGETHER) {
            let (from, to) = (first + token, first + count.min(token + TOGETHER));
            let rest = rest_of_y.split_off_mut((from - next) * width..).unwrap_or_default();
            let (own, rest) = rest.split_at_mut_checked((to - from) * width).unwrap_or_default();
            let q = q_values.get(from * width..to * width).unwrap_or_default();
            runs.push(Run { y: own, q, first: TokenPosition { position: start.position + token, ..start } });
            (rest_of_y, next) = (rest, to);
        }
    }
    runs.into_par_iter().for_each_init(Scratch::default, |scratch, run| find(options, run, buffers, scratch));
    tensor(y, q.shape())
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
    fn of(storage: &'a Storage, layout: &Layout) -> Result<Self> {
        match storage {
            Storage::Cpu(storage @ CpuStorage::BF16(_)) => Ok(Self::Bf16(argument(storage, layout)?)),
            Storage::Cpu(storage) => Ok(Self::F32(argument(storage, layout)?)),
            _ => bail!("packed attention: q is on the CPU, keys and values are not"),
        }
    }

    /// Those of `range`; narrow ones are widened into `room`.
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

/// Successive tokens of a row: room for what they find, filled with zeros, and their queries, `[tokens, width]` each; the
/// position of the first.
struct Run<'a> {
    y: &'a mut [f32],
    q: &'a [f32],
    first: TokenPosition,
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
    /// What the queries of a run find. Keys and values are read in the order of memory, from the first to the last and all
    /// heads of each: head by head, every piece of one would have to be fetched on its own.
    fn find(options: &PackedAttention<'_>, run: Run<'_>, buffers: Buffers<'_>, scratch: &mut Scratch) {
        let Scratch { scores, sums, room } = scratch;
        let Run { y, q, first } = run;
        let Buffers { keys, values, all, width } = buffers;
        let heads = options.heads.max(1);
        let d = (width / heads).max(1);
        let at = |token: usize| TokenPosition { position: first.position + token, ..first };
        // The last token sees whatever those before it see.
        let seen = options.seen(at((q.len() / width.max(1)).saturating_sub(1)), all);
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
            let token = at(token);
            let seen = options.seen(token, all).len().min(count);
            for (head, scores) in scores.chunks_exact_mut(count).enumerate() {
                let (own, others) = scores.split_at_mut(seen);
                options.add(own, token, head);
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
