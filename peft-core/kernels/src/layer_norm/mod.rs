//! Layer norm with a scale and a shift, which the examples of a batch share or which each of them has for itself.

mod device;

use candle_core::{D, Layout, Result, Tensor, bail};

pub(crate) use self::device::{layer_norm_on_device, row_gradients};
use crate::graph::composed3;
use crate::kernels::{Kernels, Path};
use crate::math::{add_to, dot, sum};
use crate::operation::{Fused, Operation, gradient};
use crate::precise::precisely;
use crate::values::values;
use crate::vectors::vectorized;
use crate::{parallel, row_blocks};

/// The parameters of a layer norm.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm<'a> {
    /// The scale: `[d]`, or `[batch, d]` with one per example.
    pub gamma: &'a Tensor,
    /// The shift, of the same shape.
    pub beta: &'a Tensor,
    /// A small number that is added to the variance.
    pub eps: f64,
}

/// `y = (x - mean) / sqrt(var + eps) * gamma + beta` over the last dimension, where `var` is the biased variance (layer norm:
/// Ba, Kiros and Hinton 2016, arXiv 1607.06450).
///
/// `x [.., d]` goes with `gamma` and `beta` `[d]`. `x [batch, len, d]` may also go with `[batch, d]`, one pair per example, as
/// a hypernetwork generates them for a batch that mixes tasks. The result has `x`'s shape. Gradients reach `x`, `gamma` and
/// `beta` if they are tracked. The fused version saves its arguments only.
///
/// # Errors
///
/// If `gamma` and `beta` have other shapes.
pub fn layer_norm(x: &Tensor, norm: &LayerNorm<'_>, kernels: Kernels) -> Result<Tensor> {
    check_shapes(x, norm)?;
    let LayerNorm { gamma, beta, eps } = *norm;
    match kernels.path_for(&[x, gamma, beta]) {
        Path::Cpu => x.contiguous()?.apply_op3(&gamma.contiguous()?, &beta.contiguous()?, Fused(RowNorm { eps })),
        Path::Device => composed3(device::OnDevice(RowNorm { eps }), x, gamma, beta),
        Path::Plain => layer_norm_plain(x, norm),
    }
}

/// [`layer_norm`], composed of candle's own operations.
///
/// # Errors
///
/// As [`layer_norm`].
pub fn layer_norm_plain(x: &Tensor, norm: &LayerNorm<'_>) -> Result<Tensor> {
    check_shapes(x, norm)?;
    let LayerNorm { gamma, beta, eps } = *norm;
    precisely([x, gamma, beta], |[x, gamma, beta]| {
        let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let root = (centered.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
        let normed = centered.broadcast_div(&root)?;
        if gamma.rank() == 1 {
            return normed.broadcast_mul(&gamma)?.broadcast_add(&beta);
        }
        normed.broadcast_mul(&gamma.unsqueeze(1)?)?.broadcast_add(&beta.unsqueeze(1)?)
    })
}

fn check_shapes(x: &Tensor, LayerNorm { gamma, beta, .. }: &LayerNorm<'_>) -> Result<()> {
    let fits = match (x.dims(), gamma.dims()) {
        ([.., d], [gamma_d]) => d == gamma_d,
        ([batch, _, d], [gamma_batch, gamma_d]) => (batch, d) == (gamma_batch, gamma_d),
        _ => false,
    };
    if !fits || gamma.dims() != beta.dims() {
        bail!(
            "layer_norm: gamma {:?} and beta {:?} must both be [d], or [batch, d] for x [batch, len, d]; x is {:?}",
            gamma.dims(),
            beta.dims(),
            x.dims()
        );
    }
    Ok(())
}

/// The normalization of one row, which fused operations share.
pub(crate) struct RowNorm {
    pub(crate) eps: f64,
}

impl RowNorm {
    /// Writes `(x - mean) / root` to `normed` and returns `1 / root`.
    #[inline(always)]
    pub(crate) fn normalize(&self, normed: &mut [f32], x: &[f32]) -> f32 {
        let n = x.len() as f64;
        let mean = sum(x) / n;
        for (y, x) in normed.iter_mut().zip(x) {
            *y = (f64::from(*x) - mean) as f32;
        }
        let r = (1.0 / (dot(normed, normed) / n + self.eps).sqrt()) as f32;
        for y in normed {
            *y *= r;
        }
        r
    }

    /// One row of the backward pass. With `n` the normalized row, `h = g gamma` and means over the row:
    /// `dx = r (h - mean(h) - n mean(h n))`. Afterwards `normed` holds `g n`.
    #[inline(always)]
    pub(crate) fn row_backward(&self, dx: &mut [f32], x: &[f32], g: &[f32], gamma: &[f32], normed: &mut [f32]) {
        let r = self.normalize(normed, x);
        for ((d, g), gamma) in dx.iter_mut().zip(g).zip(gamma) {
            *d = g * gamma;
        }
        let mean_h = (sum(dx) / x.len() as f64) as f32;
        let mean_hn = (dot(dx, normed) / x.len() as f64) as f32;
        for ((d, n), g) in dx.iter_mut().zip(normed).zip(g) {
            *d = r * (*d - mean_h - *n * mean_hn);
            *n *= g;
        }
    }
}

vectorized! {
    fn forward(norm: &RowNorm, x: &[f32], gamma: &[f32], beta: &[f32], width: usize) -> Vec<f32> {
        let mut y = parallel::map_rows(x, width, |y, x| {
            norm.normalize(y, x);
        });
        let group_len = (x.len() * width / gamma.len().max(1)).max(1);
        parallel::for_each_chunk(&mut y, parallel::rows_per_task(width) * width, |start, y| {
            for (row, y) in y.chunks_exact_mut(width).enumerate() {
                let group = (start + row * width) / group_len * width;
                let gamma = parallel::tail(gamma, group);
                let beta = parallel::tail(beta, group);
                for ((y, gamma), beta) in y.iter_mut().zip(gamma).zip(beta) {
                    *y = *y * gamma + beta;
                }
            }
        });
        y
    }

    /// `dx`, and for each group the gradient of `gamma` followed by that of `beta`.
    fn backward(norm: &RowNorm, x: &[f32], gammas: &[f32], g: &[f32], width: usize) -> (Vec<f32>, Vec<f32>) {
        let groups = gammas.len() / width.max(1);
        row_blocks::backward(x, g, width, groups, |block| {
            let gamma = parallel::tail(gammas, block.group * width);
            let mut share = vec![0.0; 2 * width];
            let (d_gamma, d_beta) = share.split_at_mut(width);
            let mut normed = vec![0.0; width];
            block.for_each_row(|dx, x, g| {
                norm.row_backward(dx, x, g, gamma, &mut normed);
                add_to(d_gamma, &normed);
                add_to(d_beta, g);
            });
            share
        })
    }
}

impl Operation<3> for RowNorm {
    const NAME: &'static str = "layer_norm";

    fn forward(&self, [x, gamma, beta]: [&[f32]; 3], first: &Layout) -> Result<Vec<f32>> {
        Ok(forward(self, x, gamma, beta, first.dim(D::Minus1)?.max(1)))
    }

    fn backward(&self, [x, gamma, beta]: [&Tensor; 3], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let width = x.dim(D::Minus1)?;
        let (dx, shares) = backward(self, &values(x)?, &values(gamma)?, &values(g)?, width);
        let half = |first: usize| -> Result<Vec<f32>> {
            let halves = shares.chunks_exact(width.max(1)).skip(first).step_by(2);
            Ok(halves.flatten().copied().collect())
        };
        Ok([gradient(x, || Ok(dx))?, gradient(gamma, || half(0))?, gradient(beta, || half(1))?])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{Case, frozen};

    fn norm<'a>(gamma: &'a Tensor, beta: &'a Tensor) -> LayerNorm<'a> {
        LayerNorm { gamma, beta, eps: 1e-5 }
    }

    fn case(x: &[usize], gamma: &[usize]) -> Case<'static> {
        Case::new(
            "layer_norm",
            &[x, gamma, gamma],
            |t, kernels| layer_norm(&t[0], &norm(&t[1], &t[2]), kernels),
            |t| layer_norm_plain(&t[0], &norm(&t[1], &t[2])),
        )
    }

    #[test]
    fn values_and_gradients_agree_with_plain_f64() {
        case(&[3, 5], &[5]).agrees(2e-6);
        case(&[5, 70, 96], &[96]).agrees(2e-6);
        case(&[2, 3, 2, 33], &[33]).agrees(2e-6);
    }

    #[test]
    fn one_pair_per_example_agrees_with_plain_f64() {
        case(&[3, 4, 5], &[3, 5]).agrees(2e-6);
        case(&[3, 400, 96], &[3, 96]).agrees(2e-6);
    }

    #[test]
    fn a_device_computes_bf16() {
        case(&[5, 7, 96], &[96]).agrees_in_bf16(1e-2);
        case(&[5, 7, 96], &[5, 96]).agrees_in_bf16(2e-2);
    }

    #[test]
    fn plain_gradients_are_the_finite_differences() {
        case(&[2, 3, 5], &[5]).matches_finite_differences();
        case(&[2, 3, 5], &[2, 5]).matches_finite_differences();
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        case(&[4, 300, 96], &[4, 96]).is_deterministic();
    }

    #[test]
    fn frozen_scale_and_shift_receive_no_gradient() {
        frozen(&case(&[4, 8], &[8]), 1);
        frozen(&case(&[4, 8], &[8]), 2);
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let t = |dims: &[usize]| Tensor::ones(dims, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
        for (x, gamma, beta) in [
            (t(&[2, 3, 4]), t(&[3, 4]), t(&[3, 4])),
            (t(&[2, 3, 4]), t(&[4]), t(&[2, 4])),
            (t(&[6, 4]), t(&[6, 4]), t(&[6, 4])),
        ] {
            let error = layer_norm(&x, &norm(&gamma, &beta), Kernels::Fused).unwrap_err();
            assert!(error.to_string().contains(&format!("{:?}", gamma.dims())));
        }
    }
}
