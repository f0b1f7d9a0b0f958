//! The sizes of one attention, and a head of a flat slice as a matrix.

use candle_core::{Result, bail};

use crate::gemm::{Matrix, MatrixMut};
use crate::parallel::tail;

/// `q [batch, t, heads * d_head]`, `k` and `v` `[batch, s, key_value_heads * d_head]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shapes {
    pub(super) batch: usize,
    pub(super) t: usize,
    pub(super) s: usize,
    pub(super) heads: usize,
    pub(super) key_value_heads: usize,
    pub(super) d_head: usize,
}

impl Shapes {
    pub(super) fn new([q, k, v]: [&[usize]; 3], (heads, key_value_heads): (usize, usize)) -> Result<Self> {
        let ([batch, t, width], [k_batch, s, k_width]) = (q, k) else {
            bail!("attention: q {q:?} and k {k:?} must be [batch, length, heads * d_head]");
        };
        if heads == 0 || !width.is_multiple_of(heads) {
            bail!("attention: the width of q {q:?} is not a multiple of {heads} heads");
        }
        if key_value_heads == 0 || !heads.is_multiple_of(key_value_heads) {
            bail!("attention: {heads} heads are not a multiple of {key_value_heads} heads of keys and values");
        }
        let d_head = width / heads;
        if k != v || batch != k_batch || *k_width != key_value_heads * d_head {
            bail!(
                "attention: q {q:?} with {heads} heads needs k and v [{batch}, length, {}], of {key_value_heads} heads; k is {k:?} \
                 and v is {v:?}",
                key_value_heads * d_head
            );
        }
        Ok(Self { batch: *batch, t: *t, s: *s, heads, key_value_heads, d_head })
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

    /// `key_value_heads * d_head`.
    pub(super) fn key_width(&self) -> usize {
        self.key_value_heads * self.d_head
    }

    /// The number of query heads that share a key head.
    pub(super) fn group(&self) -> usize {
        self.heads / self.key_value_heads.max(1)
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

    /// The keys or values that a query head of an example sees, `[s, d_head]`.
    pub(super) fn key<'a>(&self, example: &'a [f32], head: usize) -> Matrix<'a> {
        let data = tail(example, head / self.group() * self.d_head);
        Matrix::strided(data, self.s, self.d_head, self.key_width())
    }

    /// As [`Self::query`], for writing.
    pub(super) fn query_mut<'a>(&self, example: &'a mut [f32], head: usize) -> MatrixMut<'a> {
        let data = example.get_mut(head * self.d_head..).unwrap_or_default();
        MatrixMut::strided(data, self.t, self.d_head, self.width())
    }

    /// As [`Self::key`], for writing.
    pub(super) fn key_mut<'a>(&self, example: &'a mut [f32], head: usize) -> MatrixMut<'a> {
        let data = example.get_mut(head / self.group() * self.d_head..).unwrap_or_default();
        MatrixMut::strided(data, self.s, self.d_head, self.key_width())
    }
}
