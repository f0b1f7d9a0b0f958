//! A frozen linear map with a low-rank branch, as one operation.

use candle_core::{Layout, Result, Shape, Tensor, bail};

use super::device::LowRankMap;
use super::dims::{Dims, is_int8};
use super::frozen::Frozen;
use super::map::{linear, linear_plain};
use crate::dropout::{DropoutKey, Dropper, dropout_if_any, dropped};
use crate::gemm::{Matrix, MatrixMut, Threads, multiply_add, product};
use crate::kernels::{Kernels, Path};
use crate::operation::{Fused, Operation, gradient};
use crate::parallel::add;
use crate::values::values;

/// The branch `s · Dropout(x) A^T B^T`, which is added to a linear map.
#[derive(Debug, Clone, Copy)]
pub struct LowRank<'a> {
    /// `A [r, d_in]`, or `[batch, r, d_in]` with one per example.
    pub a: &'a Tensor,
    /// `B [d_out, r]`, or `[batch, d_out, r]`.
    pub b: &'a Tensor,
    /// `s`, which is `alpha / r` in LoRA.
    pub scaling: f64,
    /// The dropout of the branch's input. `None` drops nothing.
    pub dropout: Option<DropoutKey>,
}

/// `y = x W^T + s · Dropout(x) A^T B^T` (LoRA: Hu et al. 2021, arXiv 2106.09685).
///
/// `x [.., d_in]` and `w [d_out, d_in]` give `[.., d_out]`. Gradients reach `x`, `w`, `A` and `B` if they are tracked. The fused
/// version runs if `w` is frozen and the examples share `A` and `B`. It saves its arguments and `s · Dropout(x) A^T`, `[.., r]`.
///
/// # Errors
///
/// If the shapes do not fit, or as [`linear`](fn@crate::linear) and [`dropout`](fn@crate::dropout).
pub fn linear_low_rank(x: &Tensor, w: &Tensor, branch: &LowRank<'_>, kernels: Kernels) -> Result<Tensor> {
    let LowRank { a, b, scaling, dropout } = *branch;
    let dims = Dims::of(x, w)?;
    let shared = a.rank() == 2 && b.rank() == 2 && kernels.path_for(&[x, a, b]) == Path::Cpu;
    let frozen = if shared { Frozen::new(x, w, dims, kernels)? } else { None };
    let Some(weight) = frozen else {
        if kernels.path_for(&[x]) == Path::Device && !w.track_op() && !is_int8(w) {
            let branch = LowRankMap { w: w.contiguous()?, scaling, dropper: Dropper::of(dropout)? };
            return branch.apply([x, &a.contiguous()?, &b.contiguous()?]);
        }
        let y = linear(x, w, kernels)?;
        let x = dropout_if_any(x, dropout, kernels)?;
        return y + linear(&(linear(&x, a, kernels)? * scaling)?, b, kernels)?;
    };
    let r = a.dim(0)?;
    if a.dims() != [r, dims.d_in] || b.dims() != [dims.d_out, r] {
        bail!(
            "linear_low_rank: A {:?} and B {:?} do not fit x {:?} and w {:?}",
            a.dims(),
            b.dims(),
            x.dims(),
            w.dims()
        );
    }
    let dropper = Dropper::of(dropout)?;
    let (x, a, b) = (x.contiguous()?, a.contiguous()?, b.contiguous()?);
    let branch = Branch { dims, r, scaling: scaling as f32, dropper };
    let low = branch.low(&values(&x)?, &values(&a)?)?;
    x.apply_op3(&a, &b, Fused(LowRankLinear { weight, branch, low }))
}

/// [`linear_low_rank`], composed of candle's own operations.
///
/// # Errors
///
/// As [`linear_low_rank`].
pub fn linear_low_rank_plain(x: &Tensor, w: &Tensor, branch: &LowRank<'_>) -> Result<Tensor> {
    let LowRank { a, b, scaling, dropout } = *branch;
    let y = linear_plain(x, w)?;
    let x = dropout_if_any(x, dropout, Kernels::Plain)?;
    y + linear_plain(&(linear_plain(&x, a)? * scaling)?, b)?
}

/// A branch without its tensors.
struct Branch {
    dims: Dims,
    r: usize,
    scaling: f32,
    dropper: Option<Dropper>,
}

impl Branch {
    /// `s · Dropout(x) A^T`, `[rows, r]`.
    fn low(&self, x: &[f32], a: &[f32]) -> Result<Vec<f32>> {
        let dropped = self.dropped(x);
        let x = Matrix::new(dropped.as_deref().unwrap_or(x), self.dims.rows, self.dims.d_in);
        let mut low = product(x, Matrix::new(a, self.r, self.dims.d_in).t(), Threads::All)?;
        self.scale(&mut low);
        Ok(low)
    }

    /// `Dropout(x)`; `None` where that is `x`.
    fn dropped(&self, x: &[f32]) -> Option<Vec<f32>> {
        self.dropper.as_ref().map(|dropper| dropped(dropper, x))
    }

    fn scale(&self, low: &mut [f32]) {
        if self.scaling != 1.0 {
            low.iter_mut().for_each(|low| *low *= self.scaling);
        }
    }
}

struct LowRankLinear {
    weight: Frozen,
    branch: Branch,
    low: Vec<f32>,
}

impl LowRankLinear {
    fn low(&self) -> Matrix<'_> {
        Matrix::new(&self.low, self.branch.dims.rows, self.branch.r)
    }

    /// `dY W`, plus `Dropout(d_low A)` from the branch.
    fn input_gradient(&self, g: &[f32], d_low: Matrix<'_>, a: Matrix<'_>) -> Result<Vec<f32>> {
        let Branch { dims: Dims { rows, d_in, .. }, dropper, .. } = &self.branch;
        let mut dx = self.weight.input_gradient(g)?;
        let Some(dropper) = dropper else {
            multiply_add(MatrixMut::new(&mut dx, *rows, *d_in), d_low, a, Threads::All)?;
            return Ok(dx);
        };
        let share = dropped(dropper, &product(d_low, a, Threads::All)?);
        add(&mut dx, &share);
        Ok(dx)
    }
}

impl Operation<3> for LowRankLinear {
    const NAME: &'static str = "linear_low_rank";

    fn forward(&self, [x, _, b]: [&[f32]; 3], _first: &Layout) -> Result<Vec<f32>> {
        let Branch { dims: Dims { rows, d_out, .. }, r, .. } = self.branch;
        let mut y = self.weight.forward(x)?;
        let b = Matrix::new(b, d_out, r);
        multiply_add(MatrixMut::new(&mut y, rows, d_out), self.low(), b.t(), Threads::All)?;
        Ok(y)
    }

    /// With `d_low = s · dY B`: `dA = d_low^T Dropout(x)` and `dB = dY^T low`.
    fn backward(&self, [x, a, b]: [&Tensor; 3], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let Branch { dims: Dims { rows, d_in, d_out, .. }, r, .. } = self.branch;
        let g = values(g)?;
        let dy = Matrix::new(&g, rows, d_out);
        let mut d_low = product(dy, Matrix::new(&values(b)?, d_out, r), Threads::All)?;
        self.branch.scale(&mut d_low);
        let d_low = Matrix::new(&d_low, rows, r);

        let dx = || self.input_gradient(&g, d_low, Matrix::new(&values(a)?, r, d_in));
        let da = || {
            let x = values(x)?;
            let dropped = self.branch.dropped(&x);
            product(d_low.t(), Matrix::new(dropped.as_deref().unwrap_or(&x), rows, d_in), Threads::All)
        };
        let db = || product(dy.t(), self.low(), Threads::All);
        Ok([gradient(x, dx)?, gradient(a, da)?, gradient(b, db)?])
    }

    fn shape(&self, first: &Shape) -> Shape {
        self.weight.output_shape(first)
    }
}
