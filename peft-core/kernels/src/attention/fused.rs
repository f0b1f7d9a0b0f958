//! Attention as one operation, in parallel over the examples of a batch.

use candle_core::{Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::options::Attention;
use super::shape::Shapes;
use crate::dropout::Dropper;
use crate::gemm::{Matrix, MatrixMut, Threads, multiply, multiply_add, multiply_padded};
use crate::math::{add_to, softmax_row, softmax_row_backward};
use crate::operation::{Fused, Operation, gradient};
use crate::parallel::{TASK, for_each_chunk, tail, zeros};
use crate::values::values;
use crate::vectors::vectorized;

/// Attention as an operation on `(q, k, v)`, or on `(q and bias, k, v)` if the bias trains.
///
/// A custom operation has three arguments at most, so a bias that trains is appended to `q`, both flattened. Candle then splits
/// their gradient.
pub(super) struct FusedAttention {
    shapes: Shapes,
    scale: f32,
    bias: Bias,
    mask: Option<Tensor>,
    dropout: Option<Dropper>,
}

enum Bias {
    None,
    Frozen(Tensor),
    AppendedToQ,
}

/// The terms that are added to the scores.
#[derive(Clone, Copy)]
struct Terms<'a> {
    /// `[heads, t, s]`, or empty.
    bias: &'a [f32],
    /// `[batch or 1, t or 1, s]`, or empty.
    mask: &'a [f32],
    /// The distance between the masks of two examples, and between those of two rows; 0 if they share one.
    mask_strides: (usize, usize),
}

/// One example's gradients, which the backward pass writes.
struct Gradients<'a> {
    q: &'a mut [f32],
    k: &'a mut [f32],
    v: &'a mut [f32],
    /// The gradient of the scores, `[heads, t, s]`; empty unless the bias trains.
    scores: &'a mut [f32],
}

/// One example's arguments.
#[derive(Clone, Copy)]
struct Example<'a> {
    index: usize,
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
}

impl FusedAttention {
    pub(super) fn new(shapes: Shapes, options: &Attention<'_>) -> Result<Self> {
        Ok(Self {
            shapes,
            scale: options.scale.unwrap_or(1.0),
            bias: match options.bias {
                Some(bias) if bias.track_op() => Bias::AppendedToQ,
                Some(bias) => Bias::Frozen(bias.contiguous()?),
                None => Bias::None,
            },
            mask: options.mask.map(Tensor::contiguous).transpose()?,
            dropout: Dropper::of(options.dropout)?,
        })
    }

    pub(super) fn apply(self, q: &Tensor, k: &Tensor, v: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let q = match (&self.bias, bias) {
            (Bias::AppendedToQ, Some(bias)) => Tensor::cat(&[q.flatten_all()?, bias.flatten_all()?], 0)?,
            _ => q.contiguous()?,
        };
        q.apply_op3(&k.contiguous()?, &v.contiguous()?, Fused(self))
    }

    /// Calls `f(q, terms)` with the queries and the terms of the scores.
    fn with_terms<R>(&self, q: &[f32], f: impl FnOnce(&[f32], Terms<'_>) -> R) -> Result<R> {
        let Shapes { batch, t, s, .. } = self.shapes;
        let (q, appended) = q.split_at_checked(batch * t * self.shapes.width()).unwrap_or((q, &[]));
        let frozen = match &self.bias {
            Bias::Frozen(bias) => Some(values(bias)?),
            Bias::None | Bias::AppendedToQ => None,
        };
        let mask = self.mask.as_ref().map(values).transpose()?;
        let mask_strides = match self.mask.as_ref().map(Tensor::dims) {
            Some([b, _, rows, _]) => {
                let row = if *rows == 1 { 0 } else { s };
                (if *b == 1 { 0 } else { rows * s }, row)
            }
            _ => (0, 0),
        };
        let terms = Terms {
            bias: frozen.as_deref().unwrap_or(appended),
            mask: mask.as_deref().unwrap_or_default(),
            mask_strides,
        };
        Ok(f(q, terms))
    }

    fn example<'a>(&self, q: &'a [f32], k: &'a [f32], v: &'a [f32], index: usize) -> Example<'a> {
        let Shapes { t, s, .. } = self.shapes;
        let (queries, keys) = (t * self.shapes.width(), s * self.shapes.key_width());
        let part = |x: &'a [f32], len: usize| x.get(index * len..(index + 1) * len).unwrap_or_default();
        Example { index, q: part(q, queries), k: part(k, keys), v: part(v, keys) }
    }

    /// Writes one head's `softmax(scale q k^T + bias + mask)` to `p [t, s]`.
    fn probabilities(&self, p: &mut [f32], x: Example<'_>, head: usize, terms: Terms<'_>) -> Result<()> {
        let Shapes { t, s, .. } = self.shapes;
        let (q, k) = (self.shapes.query(x.q, head), self.shapes.key(x.k, head));
        multiply_padded(MatrixMut::new(p, t, s), q, k.t(), Threads::One)?;
        self.scale(p);
        let (per_example, per_row) = terms.mask_strides;
        softmax_of_sum(p, s, tail(terms.bias, head * t * s), tail(terms.mask, x.index * per_example), per_row);
        Ok(())
    }

    /// Multiplies one head's scores, or their gradient, by the scale.
    fn scale(&self, scores: &mut [f32]) {
        if self.scale != 1.0 {
            multiply_by(self.scale, scores);
        }
    }

    /// Drops or scales one head's probabilities, or their gradient.
    fn drop(&self, p: &mut [f32], x: Example<'_>, head: usize) {
        if let Some(dropout) = &self.dropout {
            let start = (x.index * self.shapes.heads + head) * self.shapes.scores();
            apply(dropout, start, p);
        }
    }

    fn forward_example(&self, y: &mut [f32], x: Example<'_>, terms: Terms<'_>) -> Result<()> {
        let Shapes { t, s, heads, .. } = self.shapes;
        let mut p = vec![0.0; t * s];
        for head in 0..heads {
            self.probabilities(&mut p, x, head, terms)?;
            self.drop(&mut p, x, head);
            let v = self.shapes.key(x.v, head);
            let y = self.shapes.query_mut(y, head);
            multiply_padded(y, Matrix::new(&p, t, s), v, Threads::One)?;
        }
        Ok(())
    }

    /// With `p` the probabilities, `d` those after dropout and `g` the result's gradient, for each head:
    /// `dv = d^T g`; `dp = drop(g v^T)`; `ds = p (dp - sum(p dp))`; `dq = scale ds k`; `dk = scale ds^T q`. Heads that share keys and
    /// values add to one `dk` and `dv`, in the order of the heads.
    fn backward_example(&self, out: Gradients<'_>, x: Example<'_>, g: &[f32], terms: Terms<'_>) -> Result<()> {
        let shapes = self.shapes;
        let Shapes { t, s, heads, .. } = shapes;
        let (mut p, mut ds) = (vec![0.0; t * s], vec![0.0; t * s]);
        for head in 0..heads {
            let [q, g] = [x.q, g].map(|x| shapes.query(x, head));
            let [k, v] = [x.k, x.v].map(|x| shapes.key(x, head));
            // The first head of a group overwrites, so that attention without groups reads no gradient before it is written.
            let add = if head.is_multiple_of(shapes.group()) { multiply } else { multiply_add };
            self.probabilities(&mut p, x, head, terms)?;

            ds.copy_from_slice(&p);
            self.drop(&mut ds, x, head);
            let dropped = Matrix::new(&ds, t, s);
            add(shapes.key_mut(out.v, head), dropped.t(), g, Threads::One)?;

            multiply(MatrixMut::new(&mut ds, t, s), g, v.t(), Threads::One)?;
            self.drop(&mut ds, x, head);
            softmax_backward(&p, &mut ds, s);
            if let Some(scores) = out.scores.get_mut(head * t * s..(head + 1) * t * s) {
                scores.copy_from_slice(&ds);
            }
            self.scale(&mut ds);
            let ds = Matrix::new(&ds, t, s);
            multiply(shapes.query_mut(out.q, head), ds, k, Threads::One)?;
            add(shapes.key_mut(out.k, head), ds.t(), q, Threads::One)?;
        }
        Ok(())
    }

    /// `[dq, dk, dv]`. If the bias trains, its gradient follows `dq`.
    fn gradients(&self, q: &[f32], k: &[f32], v: &[f32], g: &[f32], terms: Terms<'_>) -> Result<[Vec<f32>; 3]> {
        let Shapes { batch, t, s, heads, .. } = self.shapes;
        let (queries, keys) = (t * self.shapes.width(), s * self.shapes.key_width());
        let per_example = match self.bias {
            Bias::AppendedToQ => heads * t * s,
            Bias::None | Bias::Frozen(_) => 0,
        };
        let mut dq = zeros(batch * queries);
        let (mut dk, mut dv) = (zeros(batch * keys), zeros(batch * keys));
        let mut scores = vec![0.0; batch * per_example];
        let mut score_parts = scores.chunks_mut(per_example.max(1));
        let parts: Vec<_> = dq
            .chunks_mut(queries.max(1))
            .zip(dk.chunks_mut(keys.max(1)).zip(dv.chunks_mut(keys.max(1))))
            .map(|(q, (k, v))| Gradients { q, k, v, scores: score_parts.next().unwrap_or_default() })
            .collect();
        parts.into_par_iter().enumerate().try_for_each(|(i, part)| {
            self.backward_example(part, self.example(q, k, v, i), tail(g, i * queries), terms)
        })?;
        if per_example > 0 {
            dq.append(&mut sum_examples(&scores, per_example));
        }
        Ok([dq, dk, dv])
    }
}

vectorized! {
    /// Replaces each row of `p [.., s]` by the softmax of its sum with `bias` and with a row of `mask`. The rows of `mask` begin
    /// `per_row` numbers apart.
    fn softmax_of_sum(p: &mut [f32], s: usize, bias: &[f32], mask: &[f32], per_row: usize) {
        add_to(p, bias);
        for (i, row) in p.chunks_exact_mut(s.max(1)).enumerate() {
            add_to(row, tail(mask, i * per_row));
            softmax_row(row);
        }
    }

    /// Replaces each row of `g`, the gradient of the softmax `p`, by the gradient of the scores.
    fn softmax_backward(p: &[f32], g: &mut [f32], s: usize) {
        for (p, g) in p.chunks_exact(s.max(1)).zip(g.chunks_exact_mut(s.max(1))) {
            softmax_row_backward(p, g);
        }
    }

    fn multiply_by(factor: f32, x: &mut [f32]) {
        for x in x {
            *x *= factor;
        }
    }

    fn apply(dropper: &Dropper, start: usize, p: &mut [f32]) {
        dropper.apply(start, p);
    }

    /// The sum of consecutive parts of `len` elements, in order.
    fn sum_examples(parts: &[f32], len: usize) -> Vec<f32> {
        let mut sum = vec![0.0; len];
        for_each_chunk(&mut sum, TASK, |start, sum| {
            for part in parts.chunks_exact(len) {
                add_to(sum, tail(part, start));
            }
        });
        sum
    }
}

impl Operation<3> for FusedAttention {
    const NAME: &'static str = "attention";

    fn forward(&self, [q, k, v]: [&[f32]; 3], _first: &Layout) -> Result<Vec<f32>> {
        let Shapes { batch, t, .. } = self.shapes;
        let width = self.shapes.width();
        let mut y = zeros(batch * t * width);
        self.with_terms(q, |q, terms| {
            let examples = y.par_chunks_mut((t * width).max(1)).enumerate();
            examples.try_for_each(|(i, y)| self.forward_example(y, self.example(q, k, v, i), terms))
        })??;
        Ok(y)
    }

    fn backward(&self, [q, k, v]: [&Tensor; 3], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let (qs, ks, vs, gs) = (values(q)?, values(k)?, values(v)?, values(g)?);
        let [dq, dk, dv] = self.with_terms(&qs, |q, terms| self.gradients(q, &ks, &vs, &gs, terms))??;
        Ok([gradient(q, || Ok(dq))?, gradient(k, || Ok(dk))?, gradient(v, || Ok(dv))?])
    }

    fn shape(&self, _first: &Shape) -> Shape {
        (self.shapes.batch, self.shapes.t, self.shapes.width()).into()
    }
}
