//! The linear map `y = x W^T`, without the gradient of a frozen weight.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Storage, Tensor, bail};

use super::Kernels;
use half::bf16;

use super::gemm::{Matrix, Threads, batched_product, product_bf16};
use super::values::{argument, output, tensor, values};

/// `y = x W^T`.
///
/// `x [.., d_in]` and `w [d_out, d_in]` give `[.., d_out]`; `x [batch, len, d_in]` and one weight per row,
/// `w [batch, d_out, d_in]`, give `[batch, len, d_out]`.
///
/// `dX = dY W` and `dW = dY^T X` are computed for tracked arguments only. (Candle's own matmul always computes
/// both, and the gradient of a frozen weight costs a third of a training step.) The fused version runs for
/// every float type, on CUDA too; other devices run the plain one. It saves nothing for the backward pass but
/// its arguments.
///
/// A frozen weight `[d_out, d_in]` may be `bf16` beside an `x` of `f32`, which halves the memory that is read; `y` and
/// `dX` are `f32`. Where the processor multiplies such numbers, `x` and `dY` are rounded to them as well, a relative
/// error of 2⁻⁹ an element, while sums are `f32`; elsewhere the weight is widened.
///
/// # Errors
///
/// If the shapes do not fit, or a `bf16` weight is tracked or differs by row.
pub fn linear(x: &Tensor, w: &Tensor, kernels: Kernels) -> Result<Tensor> {
    let dims = Dims::new(x.dims(), w.dims())?;
    if is_narrow(x, w) {
        if w.track_op() || w.rank() != 2 {
            bail!("linear: a bf16 weight {:?} beside an f32 input must be frozen and [d_out, d_in]", w.dims());
        }
        if kernels == Kernels::Plain || !x.device().is_cpu() {
            return linear_plain(x, w);
        }
        return x.contiguous()?.apply_op1(NarrowLinear { w: w.contiguous()?, dims });
    }
    let known_device = x.device().is_cpu() || x.device().is_cuda();
    if kernels == Kernels::Plain || !known_device {
        return linear_plain(x, w);
    }
    x.contiguous()?.apply_op2(&w.contiguous()?, Linear)
}

/// [`linear`] by candle's own operations.
///
/// # Errors
///
/// As [`linear`].
pub fn linear_plain(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let Dims { rows, d_in, .. } = Dims::new(x.dims(), w.dims())?;
    let w = &w.to_dtype(x.dtype())?;
    if w.rank() == 3 {
        return x.matmul(&w.t()?);
    }
    let y = x.reshape((rows, d_in))?.matmul(&w.t()?)?;
    y.reshape(output_dims(x.dims(), w.dims()))
}

/// `x` as `[batch, rows, d_in]`, `w` as `[batch, d_out, d_in]`; `batch` is 1 for a shared weight.
#[derive(Clone, Copy)]
struct Dims {
    batch: usize,
    rows: usize,
    d_in: usize,
    d_out: usize,
}

impl Dims {
    fn new(x: &[usize], w: &[usize]) -> Result<Self> {
        let (batch, rows, d_in, d_out) = match (x, w) {
            ([rows @ .., x_in], [d_out, d_in]) if x_in == d_in => (1, rows.iter().product(), *d_in, *d_out),
            ([x_batch, len, x_in], [batch, d_out, d_in]) if (x_batch, x_in) == (batch, d_in) => {
                (*batch, *len, *d_in, *d_out)
            }
            _ => bail!(
                "linear: x {x:?} needs w [d_out, d_in], or [batch, d_out, d_in] for x [batch, len, d_in]; w is {w:?}"
            ),
        };
        Ok(Self { batch, rows, d_in, d_out })
    }

    fn x<'a>(&self, x: &'a [f32], i: usize) -> Matrix<'a> {
        part(x, i, self.rows, self.d_in)
    }

    fn w<'a>(&self, w: &'a [f32], i: usize) -> Matrix<'a> {
        part(w, i, self.d_out, self.d_in)
    }

    fn y<'a>(&self, y: &'a [f32], i: usize) -> Matrix<'a> {
        part(y, i, self.rows, self.d_out)
    }
}

/// Matrix `i` of a stack of row-major matrices `[rows, cols]`.
fn part(data: &[f32], i: usize, rows: usize, cols: usize) -> Matrix<'_> {
    let len = rows * cols;
    let part = data.get(i * len..(i + 1) * len).unwrap_or_default();
    Matrix::new(part, rows, cols)
}

fn output_dims(x: &[usize], w: &[usize]) -> Vec<usize> {
    let mut dims = x.to_vec();
    if let (Some(last), [.., d_out, _]) = (dims.last_mut(), w) {
        *last = *d_out;
    }
    dims
}

/// Whether the weight alone is `bf16`.
fn is_narrow(x: &Tensor, w: &Tensor) -> bool {
    w.dtype() == DType::BF16 && x.dtype() == DType::F32
}

/// [`linear`] with a frozen weight of `bf16`, which the graph never sees.
struct NarrowLinear {
    w: Tensor,
    dims: Dims,
}

impl NarrowLinear {
    /// `left w` or `left wᵀ`, for `left [rows, ..]`.
    fn product(&self, left: Matrix<'_>, transposed: bool) -> Result<Vec<f32>> {
        let (storage, layout) = self.w.storage_and_layout();
        let data = match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(storage), Some((start, end))) => storage.as_slice::<bf16>()?.get(start..end),
            _ => None,
        };
        let Some(data) = data else { bail!("linear: expected a contiguous bf16 weight on the CPU, got {layout:?}") };
        let w = Matrix::new(data, self.dims.d_out, self.dims.d_in);
        product_bf16(left, if transposed { w.t() } else { w }, Threads::All)
    }
}

impl CustomOp1 for NarrowLinear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = argument(storage, layout)?;
        let y = self.product(Matrix::new(x, self.dims.rows, self.dims.d_in), true)?;
        Ok(output(y, output_dims(layout.dims(), self.w.dims())))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let g = g.contiguous()?;
        let dx = self.product(Matrix::new(&values(&g)?, self.dims.rows, self.dims.d_out), false)?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}

struct Linear;

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        if s1.dtype() != DType::F32 {
            return backend_product(s1, l1, s2, l2);
        }
        let (x, w) = (argument(s1, l1)?, argument(s2, l2)?);
        let dims = Dims::new(l1.dims(), l2.dims())?;
        let size = (dims.rows, dims.d_out);
        let y = batched_product(dims.batch, size, |i| dims.x(x, i), |i| dims.w(w, i).t())?;
        Ok(output(y, output_dims(l1.dims(), l2.dims())))
    }

    fn cuda_fwd(&self, s1: &CudaStorage, l1: &Layout, s2: &CudaStorage, l2: &Layout) -> Result<(CudaStorage, Shape)> {
        backend_product(s1, l1, s2, l2)
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = g.contiguous()?;
        let (dx, dw): (Gradient, Gradient) = if Kernels::Fused.fused_for(&[x, w, &g]) {
            (input_gradient, weight_gradient)
        } else {
            (input_gradient_plain, weight_gradient_plain)
        };
        let dims = Dims::new(x.dims(), w.dims())?;
        let dx = x.track_op().then(|| dx(dims, w, &g)?.reshape(x.shape()));
        let dw = w.track_op().then(|| dw(dims, x, &g)?.reshape(w.shape()));
        Ok((dx.transpose()?, dw.transpose()?))
    }
}

/// The gradient of one argument, from the other one and the result's gradient.
type Gradient = fn(Dims, &Tensor, &Tensor) -> Result<Tensor>;

/// `dX = dY W`.
fn input_gradient(dims: Dims, w: &Tensor, g: &Tensor) -> Result<Tensor> {
    let (w, g) = (values(w)?, values(g)?);
    let size = (dims.rows, dims.d_in);
    let dx = batched_product(dims.batch, size, |i| dims.y(&g, i), |i| dims.w(&w, i))?;
    tensor(dx, &(dims.batch, dims.rows, dims.d_in).into())
}

/// `dW = dY^T X`.
fn weight_gradient(dims: Dims, x: &Tensor, g: &Tensor) -> Result<Tensor> {
    let (x, g) = (values(x)?, values(g)?);
    let size = (dims.d_out, dims.d_in);
    let dw = batched_product(dims.batch, size, |i| dims.y(&g, i).t(), |i| dims.x(&x, i))?;
    tensor(dw, &(dims.batch, dims.d_out, dims.d_in).into())
}

fn input_gradient_plain(dims: Dims, w: &Tensor, g: &Tensor) -> Result<Tensor> {
    let g = g.reshape((dims.batch, dims.rows, dims.d_out))?;
    g.matmul(&w.detach().reshape((dims.batch, dims.d_out, dims.d_in))?)
}

fn weight_gradient_plain(dims: Dims, x: &Tensor, g: &Tensor) -> Result<Tensor> {
    let g = g.reshape((dims.batch, dims.rows, dims.d_out))?;
    let x = x.detach().reshape((dims.batch, dims.rows, dims.d_in))?;
    g.t()?.matmul(&x)
}

/// The product by the backend's own matmul, for every type and device that has one.
fn backend_product<S: BackendStorage>(x: &S, x_layout: &Layout, w: &S, w_layout: &Layout) -> Result<(S, Shape)> {
    let dims = Dims::new(x_layout.dims(), w_layout.dims())?;
    let x_shape = (dims.batch, dims.rows, dims.d_in);
    let w_shape = (dims.batch, dims.d_out, dims.d_in);
    let xl = Layout::contiguous_with_offset(x_shape, x_layout.start_offset());
    let wl = Layout::contiguous_with_offset(w_shape, w_layout.start_offset()).transpose(1, 2)?;
    let size = (dims.batch, dims.rows, dims.d_out, dims.d_in);
    let shape = output_dims(x_layout.dims(), w_layout.dims()).into();
    Ok((x.matmul(w, size, &xl, &wl)?, shape))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ops::testing::{Case, frozen, random};
    use candle_core::{Device, Var};

    fn case(x: &[usize], w: &[usize]) -> Case<'static> {
        Case::new("linear", &[x, w], |t, kernels| linear(&t[0], &t[1], kernels), |t| linear_plain(&t[0], &t[1]))
    }

    #[test]
    fn values_and_gradients_agree_with_plain_f64() {
        case(&[5], &[3, 5]).agrees(2e-6);
        case(&[4, 5], &[3, 5]).agrees(2e-6);
        case(&[2, 65, 96], &[72, 96]).agrees(2e-6);
        case(&[2, 3, 4, 5], &[1, 5]).agrees(2e-6);
    }

    #[test]
    fn one_weight_per_row_agrees_with_plain_f64() {
        case(&[1, 4, 5], &[1, 3, 5]).agrees(2e-6);
        case(&[5, 33, 96], &[5, 8, 96]).agrees(2e-6);
    }

    #[test]
    fn plain_gradients_are_the_finite_differences() {
        case(&[2, 3, 4], &[5, 4]).matches_finite_differences();
        case(&[2, 3, 4], &[2, 5, 4]).matches_finite_differences();
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        case(&[8, 64, 256], &[512, 256]).is_deterministic();
        case(&[5, 33, 96], &[5, 72, 96]).is_deterministic();
    }

    #[test]
    fn a_frozen_weight_receives_no_gradient_nor_does_a_constant_input() {
        frozen(&case(&[4, 5], &[3, 5]), 1);
        frozen(&case(&[4, 5], &[3, 5]), 0);
    }

    #[test]
    fn f64_takes_the_backend_product_with_the_same_gradients() {
        for (x_dims, w_dims) in [(&[2, 3, 4], &[5, 4][..]), (&[2, 3, 4], &[2, 5, 4])] {
            let x = Var::randn(0f64, 1., &x_dims[..], &Device::Cpu).unwrap();
            let w = Var::randn(0f64, 1., w_dims, &Device::Cpu).unwrap();
            let gradients = |y: Tensor| {
                let grads = y.sqr().unwrap().backward().unwrap();
                [&x, &w].map(|v| grads.get(v).unwrap().flatten_all().unwrap())
            };
            let fused = gradients(linear(&x, &w, Kernels::Fused).unwrap());
            let plain = gradients(linear_plain(&x, &w).unwrap());
            for (fused, plain) in fused.iter().zip(&plain) {
                let error = (fused - plain).unwrap().abs().unwrap().max(0).unwrap();
                assert!(error.to_scalar::<f64>().unwrap() < 1e-12);
            }
        }
    }

    #[test]
    fn a_bf16_weight_gives_values_and_gradients_within_its_rounding() {
        for (x_dims, w_dims) in [(&[3, 7, 20][..], [10, 20]), (&[160, 64], [96, 64]), (&[33], [40, 33])] {
            let x = Var::from_tensor(&random(x_dims, 1).to_dtype(DType::F32).unwrap()).unwrap();
            let w = random(&w_dims, 2).to_dtype(DType::BF16).unwrap();
            let run = |kernels| {
                let y = linear(&x, &w, kernels).unwrap();
                let dx = y.sqr().unwrap().backward().unwrap().get(&x).unwrap().clone();
                [y.detach(), dx]
            };
            for (fused, plain) in run(Kernels::Fused).iter().zip(&run(Kernels::Plain)) {
                assert_eq!((fused.dtype(), fused.dims()), (DType::F32, plain.dims()));
                let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
                assert!(norm(&(fused - plain).unwrap()) < 6e-3 * norm(plain), "{x_dims:?}");
            }
        }
    }

    #[test]
    fn a_bf16_weight_that_trains_is_refused() {
        let x = Tensor::ones((2, 4), DType::F32, &Device::Cpu).unwrap();
        let w = Var::ones((3, 4), DType::BF16, &Device::Cpu).unwrap();
        let error = linear(&x, &w, Kernels::Fused).unwrap_err().to_string();
        assert!(error.contains("must be frozen"), "{error}");
    }

    #[test]
    fn strided_arguments_are_accepted() {
        let x = Tensor::arange(0f32, 6., &Device::Cpu).unwrap().reshape((2, 3)).unwrap();
        let y = linear(&x.t().unwrap(), &x.t().unwrap(), Kernels::Fused).unwrap();
        let expected = [[9f32, 12., 15.], [12., 17., 22.], [15., 22., 29.]];
        assert_eq!(y.to_vec2::<f32>().unwrap(), expected);
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let t = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
        for (x, w) in [(&[4, 5][..], &[3, 4][..]), (&[2, 4, 5], &[3, 4, 5]), (&[4, 5], &[2, 3, 5])] {
            let error = linear(&t(x), &t(w), Kernels::Fused).unwrap_err().to_string();
            assert!(error.contains(&format!("{x:?}")) && error.contains(&format!("{w:?}")));
        }
    }
}
