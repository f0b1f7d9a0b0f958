//! The adapter as one operation that works on a few rows at a time, so that its intermediate results stay in the cache.

use candle_core::{Layout, Result, Tensor};
use rayon::prelude::*;

use crate::activation::Activation;
use crate::dropout::Dropper;
use crate::gemm::{Matrix, MatrixMut, Threads, multiply, multiply_add};
use crate::layer_norm::RowNorm;
use crate::math::add_to;
use crate::operation::{Operation, gradient};
use crate::parallel::zeros;
use crate::values::values;
use crate::vectors::vectorized;

/// Rows per task.
const ROWS_PER_TASK: usize = 64;

/// The width of the hidden state, `d`, and of the bottleneck, `m`.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) d: usize,
    pub(super) m: usize,
}

/// The weights, or their gradients, as parts of one slice.
struct Weights<T> {
    down: T,
    down_bias: T,
    up: T,
    up_bias: T,
    /// `gamma` and `beta` are empty without a layer norm.
    gamma: T,
    beta: T,
}

impl Sizes {
    fn weights<'a>(&self, mut all: &'a [f32]) -> Weights<&'a [f32]> {
        self.split(|len| {
            let (part, rest) = all.split_at_checked(len).unwrap_or((all, &[]));
            all = rest;
            part
        })
    }

    fn gradients<'a>(&self, mut all: &'a mut [f32]) -> Weights<&'a mut [f32]> {
        self.split(|len| {
            let (part, rest) = std::mem::take(&mut all).split_at_mut_checked(len).unwrap_or_default();
            all = rest;
            part
        })
    }

    /// The weights, where `next(len)` gives the next `len` numbers.
    fn split<T>(&self, mut next: impl FnMut(usize) -> T) -> Weights<T> {
        let Self { d, m } = *self;
        Weights {
            down: next(m * d),
            down_bias: next(m),
            up: next(d * m),
            up_bias: next(d),
            gamma: next(d),
            beta: next(d),
        }
    }
}

/// `h + Dropout(y + LN(W_up f(W_down y + b_down) + b_up))` as an operation on `h`, `y` and the concatenated weights.
pub(super) struct FusedBottleneck {
    pub(super) sizes: Sizes,
    pub(super) activation: Activation,
    pub(super) norm: Option<RowNorm>,
    pub(super) dropper: Option<Dropper>,
}

/// The intermediate results of a task.
struct Scratch {
    /// `W_down y + b_down`, `[rows, m]`.
    low: Vec<f32>,
    /// `f(low)`.
    active: Vec<f32>,
    /// The adapter's output before the layer norm, `[rows, d]`.
    high: Vec<f32>,
    /// One row, normalized.
    normed: Vec<f32>,
}

impl FusedBottleneck {
    fn scratch(&self, rows: usize) -> Scratch {
        let Sizes { d, m } = self.sizes;
        let (low, active) = (vec![0.0; rows * m], vec![0.0; rows * m]);
        Scratch { low, active, high: vec![0.0; rows * d], normed: vec![0.0; d] }
    }

    /// Fills `low`, `active` and `high` for the rows `y`.
    #[inline(always)]
    fn project(&self, scratch: &mut Scratch, y: &[f32], w: &Weights<&[f32]>) -> Result<()> {
        let Sizes { d, m } = self.sizes;
        let rows = y.len() / d.max(1);
        repeat(&mut scratch.low, w.down_bias);
        let down = Matrix::new(w.down, m, d);
        multiply_add(MatrixMut::new(&mut scratch.low, rows, m), Matrix::new(y, rows, d), down.t(), Threads::One)?;
        self.activation.apply(&mut scratch.active, &scratch.low);
        repeat(&mut scratch.high, w.up_bias);
        let up = Matrix::new(w.up, d, m);
        multiply_add(
            MatrixMut::new(&mut scratch.high, rows, d),
            Matrix::new(&scratch.active, rows, m),
            up.t(),
            Threads::One,
        )
    }

    /// Writes the rows `out`. Their first element has index `start`.
    #[inline(always)]
    fn forward(&self, start: usize, out: &mut [f32], h: &[f32], y: &[f32], w: &Weights<&[f32]>) -> Result<()> {
        let width = self.sizes.d.max(1);
        let mut scratch = self.scratch(y.len() / width);
        self.project(&mut scratch, y, w)?;
        let rows = out.chunks_exact_mut(width).zip(y.chunks_exact(width)).zip(scratch.high.chunks_exact(width));
        for ((out, y), high) in rows {
            let Some(norm) = &self.norm else {
                for ((out, y), z) in out.iter_mut().zip(y).zip(high) {
                    *out = y + z;
                }
                continue;
            };
            norm.normalize(out, high);
            for ((out, y), (gamma, beta)) in out.iter_mut().zip(y).zip(w.gamma.iter().zip(w.beta)) {
                *out = y + (*out * gamma + beta);
            }
        }
        if let Some(dropper) = &self.dropper {
            dropper.apply(start, out);
        }
        add_to(out, h);
        Ok(())
    }

    /// Writes the rows of `dy` and returns what they add to the gradients of the weights, concatenated as the weights are: `len`
    /// numbers. The first element of `g` has index `start`.
    #[inline(always)]
    fn backward(
        &self,
        start: usize,
        (dy, y, g): (&mut [f32], &[f32], &[f32]),
        w: &Weights<&[f32]>,
        len: usize,
    ) -> Result<Vec<f32>> {
        let Sizes { d, m } = self.sizes;
        let width = d.max(1);
        let rows = y.len() / width;
        let mut scratch = self.scratch(rows);
        self.project(&mut scratch, y, w)?;
        let mut share = vec![0.0; len];
        let into = self.sizes.gradients(&mut share);
        let mut g = g.to_vec();
        if let Some(dropper) = &self.dropper {
            dropper.apply(start, &mut g);
        }

        // Until the last lines, `dy` holds the gradient of `high`.
        match &self.norm {
            Some(norm) => {
                let rows = dy.chunks_exact_mut(width).zip(g.chunks_exact(width)).zip(scratch.high.chunks_exact(width));
                for ((d_high, g), high) in rows {
                    norm.row_backward(d_high, high, g, w.gamma, &mut scratch.normed);
                    add_to(into.gamma, &scratch.normed);
                    add_to(into.beta, g);
                }
            }
            None => dy.copy_from_slice(&g),
        }
        for d_high in dy.chunks_exact(width) {
            add_to(into.up_bias, d_high);
        }
        let d_high = Matrix::new(dy, rows, d);
        multiply(MatrixMut::new(into.up, d, m), d_high.t(), Matrix::new(&scratch.active, rows, m), Threads::One)?;
        let mut d_low = scratch.active;
        multiply(MatrixMut::new(&mut d_low, rows, m), d_high, Matrix::new(w.up, d, m), Threads::One)?;
        self.activation.multiply_by_slope(&mut d_low, &scratch.low);
        for d_low in d_low.chunks_exact(m.max(1)) {
            add_to(into.down_bias, d_low);
        }
        let d_low = Matrix::new(&d_low, rows, m);
        multiply(MatrixMut::new(into.down, m, d), d_low.t(), Matrix::new(y, rows, d), Threads::One)?;
        dy.copy_from_slice(&g);
        multiply_add(MatrixMut::new(dy, rows, d), d_low, Matrix::new(w.down, m, d), Threads::One)?;
        Ok(share)
    }
}

/// Fills `rows` with copies of `row`.
fn repeat(rows: &mut [f32], row: &[f32]) {
    for part in rows.chunks_exact_mut(row.len().max(1)) {
        part.copy_from_slice(row);
    }
}

vectorized! {
    fn forward(adapter: &FusedBottleneck, h: &[f32], y: &[f32], w: &Weights<&[f32]>) -> Result<Vec<f32>> {
        let len = ROWS_PER_TASK * adapter.sizes.d.max(1);
        let mut out = zeros(y.len());
        let blocks = out.par_chunks_mut(len).zip(h.par_chunks(len).zip(y.par_chunks(len))).enumerate();
        blocks.try_for_each(|(i, (out, (h, y)))| adapter.forward(i * len, out, h, y, w))?;
        Ok(out)
    }

    /// The gradient of `y`, and that of the concatenated weights: `count` numbers.
    fn backward(
        adapter: &FusedBottleneck,
        y: &[f32],
        g: &[f32],
        w: &Weights<&[f32]>,
        count: usize,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let len = ROWS_PER_TASK * adapter.sizes.d.max(1);
        let mut dy = zeros(y.len());
        let blocks = dy.par_chunks_mut(len).zip(y.par_chunks(len).zip(g.par_chunks(len))).enumerate();
        let shares = blocks.map(|(i, (dy, (y, g)))| adapter.backward(i * len, (dy, y, g), w, count));
        // The sum runs in the order of the rows, so its bytes do not depend on the number of threads.
        let mut sum = vec![0.0; count];
        for share in shares.collect::<Result<Vec<_>>>()? {
            add_to(&mut sum, &share);
        }
        Ok((dy, sum))
    }
}

impl Operation<3> for FusedBottleneck {
    const NAME: &'static str = "bottleneck";

    fn forward(&self, [h, y, weights]: [&[f32]; 3], _first: &Layout) -> Result<Vec<f32>> {
        forward(self, h, y, &self.sizes.weights(weights))
    }

    fn backward(&self, [h, y, weights]: [&Tensor; 3], _out: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let all = values(weights)?;
        let (dy, sum) = backward(self, &values(y)?, &values(g)?, &self.sizes.weights(&all), all.len())?;
        let dh = h.track_op().then(|| g.clone());
        Ok([dh, gradient(y, || Ok(dy))?, gradient(weights, || Ok(sum))?])
    }
}
