//! A frozen linear map with a low-rank branch, as one operation.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::dims::Dims;
use super::frozen::Frozen;
use super::map::{linear, linear_plain};
use crate::dropout::{DropoutKey, Dropper, dropout_if_any};
use crate::gemm::{Matrix, MatrixMut, Threads, multiply_add, product};
use crate::kernels::Kernels;
use crate::parallel::add;
use crate::values::{argument, output, tensor, values};

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
    let shared = a.rank() == 2 && b.rank() == 2 && kernels.fused_for(&[x, a, b]);
    let frozen = if shared { Frozen::new(x, w, dims, kernels)? } else { None };
    let Some(weight) = frozen else {
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
    let branch = Branch { rows: dims.rows, d_in: dims.d_in, d_out: dims.d_out, r, scaling: scaling as f32, dropper };
    let low = branch.low(&values(&x)?, &values(&a)?)?;
    x.apply_op3(&a, &b, LowRankLinear { weight, branch, low })
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
    rows: usize,
    d_in: usize,
    d_out: usize,
    r: usize,
    scaling: f32,
    dropper: Option<Dropper>,
}

impl Branch {
    /// `s · Dropout(x) A^T`, `[rows, r]`.
    fn low(&self, x: &[f32], a: &[f32]) -> Result<Vec<f32>> {
        let dropped = self.dropped(x);
        let x = Matrix::new(dropped.as_deref().unwrap_or(x), self.rows, self.d_in);
        let mut low = product(x, Matrix::new(a, self.r, self.d_in).t(), Threads::All)?;
        self.scale(&mut low);
        Ok(low)
    }

    /// `Dropout(x)`; `None` where that is `x`.
    fn dropped(&self, x: &[f32]) -> Option<Vec<f32>> {
        self.dropper.as_ref().map(|dropper| dropper.dropped(x))
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
        Matrix::new(&self.low, self.branch.rows, self.branch.r)
    }

    /// `dY W`, plus `Dropout(d_low A)` from the branch.
    fn input_gradient(&self, g: &[f32], d_low: Matrix<'_>, a: Matrix<'_>) -> Result<Vec<f32>> {
        let Branch { rows, d_in, dropper, .. } = &self.branch;
        let mut dx = self.weight.input_gradient(g)?;
        let Some(dropper) = dropper else {
            multiply_add(MatrixMut::new(&mut dx, *rows, *d_in), d_low, a, Threads::All)?;
            return Ok(dx);
        };
        let share = dropper.dropped(&product(d_low, a, Threads::All)?);
        add(&mut dx, &share);
        Ok(dx)
    }
}

impl CustomOp3 for LowRankLinear {
    fn name(&self) -> &'static str {
        "linear_low_rank"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        _s2: &CpuStorage,
        _l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Branch { rows, d_out, r, .. } = self.branch;
        let mut y = self.weight.forward(argument(s1, l1)?)?;
        let b = Matrix::new(argument(s3, l3)?, d_out, r);
        multiply_add(MatrixMut::new(&mut y, rows, d_out), self.low(), b.t(), Threads::All)?;
        Ok(output(y, self.weight.output_dims(l1.dims())))
    }

    /// With `d_low = s · dY B`: `dA = d_low^T Dropout(x)` and `dB = dY^T low`.
    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Branch { rows, d_in, d_out, r, .. } = self.branch;
        let g = g.contiguous()?;
        let (xs, a_values, b_values, g) = (values(x)?, values(a)?, values(b)?, values(&g)?);
        let dy = Matrix::new(&g, rows, d_out);
        let mut d_low = product(dy, Matrix::new(&b_values, d_out, r), Threads::All)?;
        self.branch.scale(&mut d_low);
        let d_low = Matrix::new(&d_low, rows, r);

        let dx = || self.input_gradient(&g, d_low, Matrix::new(&a_values, r, d_in));
        let da = || {
            let dropped = self.branch.dropped(&xs);
            product(d_low.t(), Matrix::new(dropped.as_deref().unwrap_or(&xs), rows, d_in), Threads::All)
        };
        let db = || product(dy.t(), self.low(), Threads::All);
        let dx = x.track_op().then(|| tensor(dx()?, x.shape()));
        let da = a.track_op().then(|| tensor(da()?, a.shape()));
        let db = b.track_op().then(|| tensor(db()?, b.shape()));
        Ok((dx.transpose()?, da.transpose()?, db.transpose()?))
    }
}
