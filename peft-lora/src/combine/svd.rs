//! The best low-rank factors of a change of a weight.

use candle_core::{DType, Device, Tensor};
use nalgebra::{DMatrix, SVD};
use peft_core::{Error, Result};

use super::arithmetic::Arithmetic;
use super::source::{At, Factors};

/// Far more sweeps than a matrix of finite numbers needs.
const MAX_ITERATIONS: usize = 10_000;

/// The best factors of rank `rank` of `B A`.
///
/// For a thin product, only the small `R_B R_Aᵀ` is decomposed, where `B = Q_B R_B` and `Aᵀ = Q_A R_A`. It has the same singular
/// values.
pub(super) fn of_product(Factors { a, b }: &Factors, rank: usize) -> Result<Factors> {
    let device = a.device();
    let (a, b) = (matrix(a)?, matrix(b)?);
    if a.nrows() >= a.ncols().min(b.nrows()) {
        let (a, b) = truncated(b * a, rank)?;
        return factors(&a, &b, device);
    }
    let (left, right) = (b.qr(), a.transpose().qr());
    let (a, b) = truncated(left.r() * right.r().transpose(), rank)?;
    factors(&(a * right.q().transpose()), &(left.q() * b), device)
}

/// The best factors of rank `rank` of the adapters' changes, combined by `arithmetic`.
pub(super) fn of_changes(path: &str, at: &[At<'_>], arithmetic: &Arithmetic, rank: usize) -> Result<Factors> {
    let change = |x: &At<'_>| -> Result<Tensor> { Ok((x.lora.b.matmul(&x.lora.a)? * x.lora.scaling)?) };
    let changes = at.iter().map(change).collect::<Result<Vec<_>>>()?;
    let terms: Vec<_> = at.iter().zip(&changes).map(|(x, delta)| x.term(path, "delta", delta, x.weight)).collect();
    let combined = arithmetic.combine(&terms)?;
    let (a, b) = truncated(matrix(&combined)?, rank)?;
    factors(&a, &b, combined.device())
}

/// `A = Vᵀ` and `B = U diag(S)` of the `rank` largest singular values, or of all if there are fewer.
fn truncated(change: DMatrix<f64>, rank: usize) -> Result<(DMatrix<f64>, DMatrix<f64>)> {
    let failed = || Error::Mismatch("svd: the change of a weight has no decomposition; is a weight not finite?".into());
    if !change.iter().all(|value| value.is_finite()) {
        return Err(failed());
    }
    let svd = SVD::try_new(change, true, true, 5. * f64::EPSILON, MAX_ITERATIONS).ok_or_else(failed)?;
    let (u, v_t) = svd.u.zip(svd.v_t).ok_or_else(failed)?;
    let rank = rank.min(svd.singular_values.len());
    let values = DMatrix::from_diagonal(&svd.singular_values.rows(0, rank).into_owned());
    Ok((v_t.rows(0, rank).into_owned(), u.columns(0, rank) * values))
}

fn factors(a: &DMatrix<f64>, b: &DMatrix<f64>, device: &Device) -> Result<Factors> {
    Ok(Factors { a: tensor(a, device)?, b: tensor(b, device)? })
}

fn matrix(tensor: &Tensor) -> Result<DMatrix<f64>> {
    let (rows, columns) = tensor.dims2()?;
    Ok(DMatrix::from_row_slice(rows, columns, &tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?))
}

/// In f32, row by row.
fn tensor(matrix: &DMatrix<f64>, device: &Device) -> Result<Tensor> {
    let rows = matrix.row_iter().flat_map(|row| row.iter().map(|value| *value as f32).collect::<Vec<_>>());
    Ok(Tensor::from_vec(rows.collect::<Vec<f32>>(), matrix.shape(), device)?)
}
