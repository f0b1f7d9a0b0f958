//! The loss and its gradients on a device, for a part of the rows at a time. No value comes to the host.

use candle_core::{D, DType, Result, Tensor};

use super::options::{Reduction, SmoothedCrossEntropy};
use crate::graph::{Composed, composed2};
use crate::linear::device::{input_gradient, product, weight_gradient};
use crate::tensors::wide;

/// The most bytes of logits in `f32` that are computed at once. A few matrices of this size exist together.
const MOST_BYTES: usize = 128 << 20;

/// The loss and the gradients that are wanted, known before the operation enters the graph.
pub(super) struct DeviceLoss {
    value: Tensor,
    d_hidden: Option<Tensor>,
    d_weight: Option<Tensor>,
}

/// Each row's label, and what its loss counts.
struct Targets {
    /// `[n, 1]`; 0 where the label is ignored, which may be outside the vocabulary.
    labels: Tensor,
    /// `[n, 1]`: 0 where the label is ignored, else 1, or 1 over the number of tokens that count.
    counts: Tensor,
    smoothing: f64,
}

impl Targets {
    fn new(labels: &Tensor, options: &SmoothedCrossEntropy, dtype: DType) -> Result<Self> {
        let (n, device) = (labels.elem_count(), labels.device());
        // Not a comparison with a number, which candle uploads.
        let ignored = Tensor::full(options.ignore_index, (), device)?.broadcast_as(n)?;
        let counted = labels.ne(&ignored)?;
        let labels = counted.where_cond(labels, &labels.zeros_like()?)?;
        let counts = counted.to_dtype(dtype)?;
        let counts = match options.reduction {
            Reduction::Sum => counts,
            Reduction::Mean => counts.broadcast_div(&counts.sum_all()?)?,
        };
        let smoothing = options.label_smoothing;
        Ok(Self { labels: labels.reshape((n, 1))?, counts: counts.reshape((n, 1))?, smoothing })
    }

    fn rows(&self, start: usize, n: usize) -> Result<Self> {
        let rows = |x: &Tensor| x.narrow(0, start, n)?.contiguous();
        Ok(Self { labels: rows(&self.labels)?, counts: rows(&self.counts)?, smoothing: self.smoothing })
    }

    /// The sum of the losses of the rows with the logits `z [n, V]`, and its gradient if that is wanted.
    ///
    /// With `p = softmax(z)`, the gradient of a row is `p - eps / V`, minus `1 - eps` at the label, times what the row counts.
    fn loss(&self, z: &Tensor, gradient: bool) -> Result<(Tensor, Option<Tensor>)> {
        let (eps, vocab) = (self.smoothing, z.dim(D::Minus1)?);
        let z = z.broadcast_sub(&z.max_keepdim(D::Minus1)?)?;
        let expected = ((z.gather(&self.labels, 1)? * (1. - eps))? + (z.mean_keepdim(D::Minus1)? * eps)?)?;
        let p = z.exp()?;
        drop(z);
        let total = p.sum_keepdim(D::Minus1)?;
        let loss = ((total.log()? - expected)? * &self.counts)?.sum_all()?;
        if !gradient {
            return Ok((loss, None));
        }
        let scaled = p.broadcast_mul(&(&self.counts / total)?)?;
        let d = scaled.broadcast_sub(&(&self.counts * (eps / vocab as f64))?)?;
        d.scatter_add_set(&self.labels, &(&self.counts * (eps - 1.))?, 1)?;
        Ok((loss, Some(d)))
    }
}

impl DeviceLoss {
    /// The loss of valid arguments, in the graph.
    pub(super) fn apply(
        [hidden, weight, labels]: [&Tensor; 3],
        options: &SmoothedCrossEntropy,
        most_bytes: Option<usize>,
    ) -> Result<Tensor> {
        let weight = weight.contiguous()?;
        let wanted = [hidden.track_op(), weight.track_op()];
        let loss = Self::new([&hidden.detach(), &weight.detach(), labels], options, wanted, most_bytes)?;
        composed2(loss, hidden, &weight)
    }

    fn new(
        [hidden, weight, labels]: [&Tensor; 3],
        options: &SmoothedCrossEntropy,
        [of_hidden, of_weight]: [bool; 2],
        most_bytes: Option<usize>,
    ) -> Result<Self> {
        let ((n, width), vocab) = (hidden.dims2()?, weight.dim(0)?);
        let dtype = if hidden.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let most_rows = (most_bytes.unwrap_or(MOST_BYTES) / (vocab * dtype.size_in_bytes()).max(1)).max(1);
        let targets = Targets::new(labels, options, dtype)?;
        let mut value = Tensor::zeros((), dtype, hidden.device())?;
        let mut of_rows = Vec::new();
        let mut d_weight: Option<Tensor> = None;
        for start in (0..n).step_by(most_rows) {
            let count = most_rows.min(n - start);
            let rows = hidden.narrow(0, start, count)?;
            let z = wide(&product(&rows, weight)?)?;
            let (loss, d) = targets.rows(start, count)?.loss(&z, of_hidden || of_weight)?;
            drop(z);
            value = (value + loss)?;
            let Some(d) = d.map(|d| d.to_dtype(hidden.dtype())).transpose()? else { continue };
            if of_hidden {
                of_rows.push(input_gradient(&d, weight)?);
            }
            if of_weight {
                let share = weight_gradient(&d, &rows, weight)?;
                d_weight = Some(d_weight.map_or_else(|| Ok(share.clone()), |sum| sum + &share)?);
            }
        }
        let d_hidden = match (of_hidden, of_rows.len()) {
            (false, _) => None,
            (true, 0) => Some(Tensor::zeros((n, width), hidden.dtype(), hidden.device())?),
            (true, _) => Some(Tensor::cat(&of_rows, 0)?),
        };
        Ok(Self { value: value.to_dtype(hidden.dtype())?, d_hidden, d_weight })
    }
}

impl Composed<2> for DeviceLoss {
    const NAME: &'static str = "smoothed_cross_entropy";

    fn forward(&self, _: [&Tensor; 2]) -> Result<Tensor> {
        self.value.copy()
    }

    fn backward(&self, _: [&Tensor; 2], _: [bool; 2], _loss: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let scaled = |d: &Option<Tensor>| d.as_ref().map(|d| d.broadcast_mul(g)).transpose();
        Ok([scaled(&self.d_hidden)?, scaled(&self.d_weight)?])
    }
}
