//! The loss and its gradients, computed for a few rows of logits at a time.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Storage, Tensor, bail};
use half::bf16;
use rayon::prelude::*;

use super::options::{Reduction, SmoothedCrossEntropy, Token};
use crate::gemm::{Matrix, MatrixMut, Order, Threads, multiply_add, multiply_bf16, multiply_in};
use crate::math::{exp, max, sum};
use crate::operation::{gradient, passed_on};
use crate::values::{argument, values};
use crate::vectors::vectorized;

/// The name in candle's errors.
const NAME: &str = "smoothed_cross_entropy";

/// The most rows of logits that exist at once.
const MOST_ROWS: usize = 1024;

/// The target distribution and the weight of one token.
#[derive(Clone, Copy)]
pub(super) struct Target {
    /// `eps`.
    smoothing: f64,
    /// `V`.
    vocab: usize,
    /// 1, or 1 over the number of tokens.
    weight: f64,
}

impl Target {
    pub(super) fn new(options: &SmoothedCrossEntropy, vocab: usize, tokens: usize) -> Self {
        Self {
            smoothing: options.label_smoothing,
            vocab,
            weight: match options.reduction {
                Reduction::Sum => 1.0,
                Reduction::Mean => 1.0 / tokens as f64,
            },
        }
    }

    /// A token's loss from its logits `z`. With `gradient`, `z` afterwards holds their gradient, times the token's weight:
    /// `p - eps / V`, minus `1 - eps` at the label. Without, it holds intermediate results.
    #[inline(always)]
    fn loss(&self, z: &mut [f32], label: u32, gradient: bool) -> f64 {
        let Some(at_label) = z.get(label as usize).copied() else {
            return f64::NAN;
        };
        let largest = max(z);
        let mean = sum(z) / self.vocab as f64;
        for z in z.iter_mut() {
            *z = exp(*z - largest);
        }
        let total = sum(z);
        if gradient {
            let scale = (self.weight / total) as f32;
            let uniform = (self.weight * self.smoothing / self.vocab as f64) as f32;
            for z in z.iter_mut() {
                *z = *z * scale - uniform;
            }
            if let Some(z) = z.get_mut(label as usize) {
                *z -= (self.weight * (1.0 - self.smoothing)) as f32;
            }
        }
        let expected = (1.0 - self.smoothing) * f64::from(at_label) + self.smoothing * mean;
        self.weight * (f64::from(largest) + total.ln() - expected)
    }
}

vectorized! {
    fn loss(target: Target, z: &mut [f32], label: u32, gradient: bool) -> f64 {
        target.loss(z, label, gradient)
    }
}

/// The output weight: `f32`, or `bf16` if it is frozen.
enum Table<'a> {
    F32(Matrix<'a>),
    Bf16(Matrix<'a, bf16>),
}

impl Table<'_> {
    /// `rows wᵀ`.
    fn logits(&self, out: MatrixMut<'_>, rows: Matrix<'_>) -> Result<()> {
        match self {
            Self::F32(w) => multiply_in(Order::Fastest, out, rows, w.t(), Threads::All),
            Self::Bf16(w) => multiply_bf16(Order::Fastest, out, rows, w.t(), Threads::All),
        }
    }

    /// `logits w`.
    fn gradient(&self, out: MatrixMut<'_>, logits: Matrix<'_>) -> Result<()> {
        match self {
            Self::F32(w) => multiply_in(Order::Fastest, out, logits, *w, Threads::All),
            Self::Bf16(w) => multiply_bf16(Order::Fastest, out, logits, *w, Threads::All),
        }
    }
}

/// The loss, and its gradient for tracked arguments. Both are known before the operation enters the graph.
pub(super) struct Loss {
    value: f64,
    d_hidden: Option<Tensor>,
    d_weight: Option<Tensor>,
}

impl Loss {
    pub(super) fn new(hidden: &Tensor, weight: &Tensor, tokens: &[Token], target: Target) -> Result<Self> {
        let (vocab, width) = weight.dims2()?;
        let h = values(hidden)?;
        let (storage, layout) = weight.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { bail!("smoothed_cross_entropy: the weight is not on the CPU") };
        let table = match weight.dtype() {
            DType::BF16 => Table::Bf16(Matrix::new(argument(storage, layout)?, vocab, width)),
            _ => Table::F32(Matrix::new(argument(storage, layout)?, vocab, width)),
        };
        let tracked = hidden.track_op() || weight.track_op();
        let mut d_hidden = vec![0.0; if hidden.track_op() { h.len() } else { 0 }];
        let mut d_weight = vec![0.0; if weight.track_op() { vocab * width } else { 0 }];
        let mut value = 0.0;
        let mut logits = vec![0.0; MOST_ROWS.min(tokens.len()) * vocab];
        for tokens in tokens.chunks(MOST_ROWS) {
            let n = tokens.len();
            let Some(logits) = logits.get_mut(..n * vocab) else {
                bail!("smoothed_cross_entropy: {n} rows of logits exceed {MOST_ROWS}");
            };
            let rows = gather(&h, tokens, width);
            let rows = Matrix::new(&rows, n, width);
            table.logits(MatrixMut::new(logits, n, vocab), rows)?;
            let losses: Vec<f64> = logits
                .par_chunks_mut(vocab)
                .zip(tokens)
                .map(|(z, token)| loss(target, z, token.label, tracked))
                .collect();
            value += losses.iter().sum::<f64>();
            let logits = Matrix::new(logits, n, vocab);
            if hidden.track_op() {
                let mut rows = vec![0.0; n * width];
                table.gradient(MatrixMut::new(&mut rows, n, width), logits)?;
                scatter(&mut d_hidden, &rows, tokens, width);
            }
            if weight.track_op() {
                let sum = MatrixMut::new(&mut d_weight, vocab, width);
                multiply_add(sum, logits.t(), rows, Threads::All)?;
            }
        }
        let (d_hidden, d_weight) = (gradient(hidden, || Ok(d_hidden))?, gradient(weight, || Ok(d_weight))?);
        Ok(Self { value, d_hidden, d_weight })
    }
}

/// The rows of the tokens, concatenated.
fn gather(hidden: &[f32], tokens: &[Token], width: usize) -> Vec<f32> {
    let rows = tokens.iter().map(|t| t.row as usize * width);
    let rows = rows.filter_map(|start| hidden.get(start..start + width));
    rows.flatten().copied().collect()
}

/// The inverse of [`gather`].
fn scatter(hidden: &mut [f32], rows: &[f32], tokens: &[Token], width: usize) {
    for (token, row) in tokens.iter().zip(rows.chunks_exact(width.max(1))) {
        let start = token.row as usize * width;
        if let Some(place) = hidden.get_mut(start..start + width) {
            place.copy_from_slice(row);
        }
    }
}

impl CustomOp2 for Loss {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _s1: &CpuStorage, _l1: &Layout, _s2: &CpuStorage, _l2: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![self.value as f32]), ().into()))
    }

    fn bwd(
        &self,
        _hidden: &Tensor,
        _weight: &Tensor,
        _loss: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        #[allow(clippy::disallowed_methods, reason = "a tensor of the CPU")]
        let g = f64::from(g.to_scalar::<f32>()?);
        let scaled = |d: &Option<Tensor>| match d {
            Some(d) if g == 1.0 => Ok(Some(d.clone())),
            Some(d) => d.affine(g, 0.0).map(Some),
            None => Ok(None),
        };
        let [d_hidden, d_weight] = passed_on(NAME, [scaled(&self.d_hidden)?, scaled(&self.d_weight)?])?;
        Ok((d_hidden, d_weight))
    }
}
