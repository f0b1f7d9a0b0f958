//! The sizes of one attention, and a head of a flat slice as a matrix.

use candle_core::{Result, bail};

use crate::gemm::{Matrix, MatrixMut};
use crate::parallel::tail;

/// `q [batch, t, heads * d_head]`, `k` and `v` `[batch, s, heads * d_head]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shapes {
    pub(super) batch: usize,
    pub(super) t: usize,
    pub(super) s: usize,
    pub(super) heads: usize,
    pub(super) d_head: usize,
}

impl Shapes {
    pub(super) fn new(q: &[usize], k: &[usize], v: &[usize], heads: usize) -> Result<Self> {
        let ([batch, t, width], [k_batch, s, k_width]) = (q, k) else {
            bail!("attention: q {q:?} and k {k:?} must be [batch, length, heads * d_head]");
        };
        if k != v || (batch, width) != (k_batch, k_width) {
            bail!("attention: q {q:?}, k {k:?} and v {v:?} do not fit");
        }
        if heads == 0 || !width.is_multiple_of(heads) {
            bail!("attention: the width of q {q:?} is not a multiple of {heads} heads");
        }
        Ok(Self { batch: *batch, t: *t, s: *s, heads, d_head: width / heads })
    }

    pub(super) fn check_terms(&self, bias: Option<&[usize]>, mask: Option<&[usize]>) -> Result<()> {
        let Self { batch, t, s, heads, .. } = *self;
        if let Some(bias) = bias
            && bias != [1, heads, t, s]
        {
            bail!("attention: bias {bias:?} is not [1, {heads}, {t}, {s}]");
        }
        let mask_fits = match mask {
            Some([b, 1, rows, cols]) => [1, batch].contains(b) && [1, t].contains(rows) && *cols == s,
            Some(_) => false,
            None => true,
        };
        if !mask_fits {
            bail!("attention: mask {mask:?} is not [{batch} or 1, 1, {t} or 1, {s}]");
        }
        Ok(())
    }

    /// `heads * d_head`.
    pub(super) fn width(&self) -> usize {
        self.heads * self.d_head
    }

    /// The number of scores of one head.
    pub(super) fn scores(&self) -> usize {
        self.t * self.s
    }

    /// One head of an example's queries or results, `[t, d_head]`.
    pub(super) fn query<'a>(&self, example: &'a [f32], head: usize) -> Matrix<'a> {
        let data = tail(example, head * self.d_head);
        Matrix::strided(data, self.t, self.d_head, self.width())
    }

    /// One head of an example's keys or values, `[s, d_head]`.
    pub(super) fn key<'a>(&self, example: &'a [f32], head: usize) -> Matrix<'a> {
        let data = tail(example, head * self.d_head);
        Matrix::strided(data, self.s, self.d_head, self.width())
    }

    /// As [`Self::query`], for writing.
    pub(super) fn query_mut<'a>(&self, example: &'a mut [f32], head: usize) -> MatrixMut<'a> {
        let data = example.get_mut(head * self.d_head..).unwrap_or_default();
        MatrixMut::strided(data, self.t, self.d_head, self.width())
    }

    /// As [`Self::key`], for writing.
    pub(super) fn key_mut<'a>(&self, example: &'a mut [f32], head: usize) -> MatrixMut<'a> {
        let data = example.get_mut(head * self.d_head..).unwrap_or_default();
        MatrixMut::strided(data, self.s, self.d_head, self.width())
    }
}
