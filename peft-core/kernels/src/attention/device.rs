//! Attention on a device. Its backward pass computes the probabilities again, so that no scores are held between the passes.

use candle_core::{Result, Tensor};

use super::options::Attention;
use super::shape::Shapes;
use crate::dropout::{Dropper, dropped_on_device};
use crate::graph::{Composed, composed3};
use crate::softmax::{gradient_on_device, softmax_on_device};
use crate::tensors::wide;

/// Attention as an operation on `(q, k, v)`, or on `(q and bias, k, v)` if the bias trains.
///
/// A custom operation has three arguments at most, so a bias that trains is appended to `q`, both flattened.
pub(super) struct DeviceAttention {
    shapes: Shapes,
    scale: Option<f64>,
    bias: Bias,
    mask: Option<Tensor>,
    dropper: Option<Dropper>,
}

enum Bias {
    None,
    Frozen(Tensor),
    AppendedToQ,
}

impl DeviceAttention {
    /// Attention with valid options.
    pub(super) fn apply(shapes: Shapes, [q, k, v]: [&Tensor; 3], options: &Attention<'_>) -> Result<Tensor> {
        let bias = match options.bias {
            None => Bias::None,
            Some(bias) if bias.track_op() => Bias::AppendedToQ,
            Some(bias) => Bias::Frozen(bias.clone()),
        };
        let q = match (options.bias, &bias) {
            (Some(bias), Bias::AppendedToQ) => &Tensor::cat(&[q.flatten_all()?, bias.flatten_all()?], 0)?,
            _ => q,
        };
        let dropper = Dropper::of(options.dropout)?;
        let scale = options.scale.map(f64::from);
        composed3(Self { shapes, scale, bias, mask: options.mask.cloned(), dropper }, q, k, v)
    }

    /// `q` as `[batch, t, heads * d_head]`, and the bias.
    fn query_and_bias(&self, q: &Tensor) -> Result<(Tensor, Option<Tensor>)> {
        let Shapes { batch, t, s, heads, .. } = self.shapes;
        Ok(match &self.bias {
            Bias::None => (q.clone(), None),
            Bias::Frozen(bias) => (q.clone(), Some(bias.clone())),
            Bias::AppendedToQ => {
                let of_q = batch * t * self.shapes.width();
                let bias = q.narrow(0, of_q, heads * t * s)?.reshape((1, heads, t, s))?;
                (q.narrow(0, 0, of_q)?.reshape((batch, t, self.shapes.width()))?, Some(bias))
            }
        })
    }

    /// Queries by heads of keys: `[batch, key_value_heads, group * t, d_head]`.
    fn queries(&self, q: &Tensor) -> Result<Tensor> {
        let Shapes { batch, t, heads, key_value_heads, d_head, .. } = self.shapes;
        let q = q.reshape((batch, t, heads, d_head))?.transpose(1, 2)?.contiguous()?;
        q.reshape((batch, key_value_heads, self.shapes.group() * t, d_head))
    }

    /// The inverse of [`Self::queries`].
    fn without_heads(&self, q: &Tensor) -> Result<Tensor> {
        let Shapes { batch, t, heads, d_head, .. } = self.shapes;
        q.reshape((batch, heads, t, d_head))?.transpose(1, 2)?.reshape((batch, t, self.shapes.width()))
    }

    /// Keys or values, `[batch, key_value_heads, s, d_head]`.
    fn keys(&self, k: &Tensor) -> Result<Tensor> {
        let Shapes { batch, s, key_value_heads, d_head, .. } = self.shapes;
        k.reshape((batch, s, key_value_heads, d_head))?.transpose(1, 2)?.contiguous()
    }

    /// The inverse of [`Self::keys`].
    fn keys_without_heads(&self, k: &Tensor) -> Result<Tensor> {
        let Shapes { batch, s, .. } = self.shapes;
        k.transpose(1, 2)?.reshape((batch, s, self.shapes.key_width()))
    }

    /// A tensor of scores as it is for the softmax, `[batch, heads, t, s]`.
    fn by_head(&self, scores: &Tensor) -> Result<Tensor> {
        let Shapes { batch, t, s, heads, .. } = self.shapes;
        scores.reshape((batch, heads, t, s))
    }

    /// A tensor of scores as it is for products, `[batch, key_value_heads, group * t, s]`.
    fn by_key_head(&self, scores: &Tensor) -> Result<Tensor> {
        let Shapes { batch, t, s, key_value_heads, .. } = self.shapes;
        scores.reshape((batch, key_value_heads, self.shapes.group() * t, s))
    }

    /// The probabilities before dropout, `[batch, heads, t, s]`, in `f32` at least.
    fn probabilities(&self, q: &Tensor, k: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let mut scores = wide(&self.by_head(&q.matmul(&k.t()?)?)?)?;
        if let Some(scale) = self.scale {
            scores = (scores * scale)?;
        }
        for term in [bias, self.mask.as_ref()].into_iter().flatten() {
            scores = scores.broadcast_add(&term.to_dtype(scores.dtype())?)?;
        }
        softmax_on_device(&scores)
    }

    fn dropped(&self, p: Tensor) -> Result<Tensor> {
        match &self.dropper {
            Some(dropper) => dropped_on_device(dropper, &p),
            None => Ok(p),
        }
    }
}

impl Composed<3> for DeviceAttention {
    const NAME: &'static str = "attention";

    fn forward(&self, [q, k, v]: [&Tensor; 3]) -> Result<Tensor> {
        let (q, bias) = self.query_and_bias(q)?;
        let p = self.dropped(self.probabilities(&self.queries(&q)?, &self.keys(k)?, bias.as_ref())?)?;
        self.without_heads(&self.by_key_head(&p.to_dtype(v.dtype())?)?.matmul(&self.keys(v)?)?)
    }

    /// With `p` the probabilities and `d = Dropout(dY v^T)`: `dv = Dropout(p)^T dY`, and the gradient of the scores is
    /// `p (d - sum(d p))`, from which follow those of `q`, `k` and the bias.
    fn backward(
        &self,
        [q, k, v]: [&Tensor; 3],
        [of_q, of_k, of_v]: [bool; 3],
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let dtype = v.dtype();
        let (q, bias) = self.query_and_bias(q)?;
        let (q, k, g) = (self.queries(&q)?, self.keys(k)?, self.queries(g)?);
        let p = self.probabilities(&q, &k, bias.as_ref())?;
        let dv = match of_v {
            true => {
                let p = self.by_key_head(&self.dropped(p.clone())?.to_dtype(dtype)?)?;
                Some(self.keys_without_heads(&p.t()?.matmul(&g)?)?)
            }
            false => None,
        };
        if !(of_q || of_k) {
            return Ok([None, None, dv]);
        }
        let dp = self.dropped(wide(&self.by_head(&g.matmul(&self.keys(v)?.t()?)?)?)?)?;
        let d_scores = gradient_on_device(&p, &dp)?;
        drop((p, dp));
        let d_bias = match (&self.bias, of_q) {
            (Bias::AppendedToQ, true) => Some(d_scores.sum(0)?.flatten_all()?.to_dtype(dtype)?),
            _ => None,
        };
        let d_scores = match self.scale {
            Some(scale) => (d_scores * scale)?,
            None => d_scores,
        };
        let d_scores = self.by_key_head(&d_scores.to_dtype(dtype)?)?;
        let dk = match of_k {
            true => Some(self.keys_without_heads(&d_scores.t()?.matmul(&q)?)?),
            false => None,
        };
        let dq = match of_q {
            true => Some(self.without_heads(&d_scores.matmul(&k)?)?),
            false => None,
        };
        let dq = match (dq, d_bias) {
            (Some(dq), Some(d_bias)) => Some(Tensor::cat(&[dq.flatten_all()?, d_bias], 0)?),
            (dq, _) => dq,
        };
        Ok([dq, dk, dv])
    }
}
