//! Rotary position embeddings, with a backward pass.

mod device;

use candle_core::{D, Layout, Result, Tensor, bail};

use crate::graph::composed3;
use crate::kernels::{Kernels, Path};
use crate::operation::{Fused, Operation, gradient};
use crate::parallel;
use crate::precise::precisely;
use crate::values::values;
use crate::vectors::vectorized;

/// Which two features of a head are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Feature `i` and feature `i + d / 2`, as in Hugging Face's Llama.
    Halves,
    /// Features `2 i` and `2 i + 1`, as in the paper.
    Neighbors,
}

/// The order of the dimensions of a rotated tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotaryLayout {
    /// `[batch, length, heads, d]`: the heads as a linear map returns them.
    LengthHeads,
    /// `[batch, heads, length, d]`.
    HeadsLength,
}

/// Angles and layout of [`rotary`](fn@rotary).
#[derive(Debug, Clone, Copy)]
pub struct Rotary<'a> {
    /// The cosines of the angles, `[positions, d / 2]` with at least `length` positions, or `[batch, length, d / 2]`.
    pub cos: &'a Tensor,
    /// The sines, of the same shape.
    pub sin: &'a Tensor,
    /// Which features are a pair.
    pub pairs: RotaryPairs,
    /// The order of the dimensions of `x`.
    pub layout: RotaryLayout,
}

/// Rotates each pair of features by its angle (RoPE: Su et al. 2021, arXiv 2104.09864):
/// `y_a = x_a cos - x_b sin`, `y_b = x_a sin + x_b cos`.
///
/// The result has `x`'s shape. Gradients reach `x`, `cos` and `sin` if they are tracked. The fused version runs if the angles are
/// constants. It saves its arguments only: its backward pass rotates back.
///
/// # Errors
///
/// If the shapes do not fit, or the number of features is odd.
pub fn rotary(x: &Tensor, rotary: &Rotary<'_>, kernels: Kernels) -> Result<Tensor> {
    let op = Rotation::new(x, rotary)?;
    let Rotary { cos, sin, pairs, layout } = *rotary;
    match kernels.path_for(&[x, cos, sin]) {
        _ if cos.track_op() || sin.track_op() => rotary_plain(x, rotary),
        Path::Cpu => x.contiguous()?.apply_op3(&cos.contiguous()?, &sin.contiguous()?, Fused(op)),
        Path::Device => composed3(device::OnDevice { pairs, layout }, x, cos, sin),
        Path::Plain => rotary_plain(x, rotary),
    }
}

/// [`rotary`](fn@rotary), composed of candle's own operations.
///
/// # Errors
///
/// As [`rotary`](fn@rotary).
pub fn rotary_plain(x: &Tensor, rotary: &Rotary<'_>) -> Result<Tensor> {
    let Rotation { length, d, .. } = Rotation::new(x, rotary)?;
    let Rotary { cos, sin, pairs, layout } = *rotary;
    let angles = |angles: &Tensor| {
        let angles = if angles.rank() == 2 { angles.narrow(0, 0, length)?.unsqueeze(0)? } else { angles.clone() };
        let heads = if layout == RotaryLayout::LengthHeads { 2 } else { 1 };
        angles.unsqueeze(heads)
    };
    precisely([x, &angles(cos)?, &angles(sin)?], |[x, cos, sin]| {
        let part = |which: usize| match pairs {
            RotaryPairs::Halves => x.narrow(D::Minus1, which * d / 2, d / 2),
            RotaryPairs::Neighbors => {
                let dims = x.dims();
                let split: Vec<usize> = dims.iter().take(dims.len() - 1).copied().chain([d / 2, 2]).collect();
                x.reshape(split)?.narrow(D::Minus1, which, 1)?.squeeze(D::Minus1)
            }
        };
        let (a, b) = (part(0)?, part(1)?);
        let rotated =
            [(a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?, (a.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?];
        match pairs {
            RotaryPairs::Halves => Tensor::cat(&rotated, D::Minus1),
            RotaryPairs::Neighbors => Tensor::stack(&rotated, D::Minus1)?.reshape(x.shape()),
        }
    })
}

/// The operation on `(x, cos, sin)`.
#[derive(Debug, Clone, Copy)]
struct Rotation {
    heads: usize,
    length: usize,
    d: usize,
    pairs: RotaryPairs,
    layout: RotaryLayout,
    /// The distance between the angles of two examples; 0 if they share them.
    per_example: usize,
}

impl Rotation {
    fn new(x: &Tensor, Rotary { cos, sin, pairs, layout }: &Rotary<'_>) -> Result<Self> {
        let (batch, one, two, d) = x.dims4()?;
        let (length, heads) = match layout {
            RotaryLayout::LengthHeads => (one, two),
            RotaryLayout::HeadsLength => (two, one),
        };
        let per_example = match *cos.dims() {
            [positions, half] if positions >= length && 2 * half == d => Some(0),
            [b, positions, half] if b == batch && positions == length && 2 * half == d => Some(length * half),
            _ => None,
        };
        match per_example {
            Some(per_example) if cos.dims() == sin.dims() => {
                Ok(Self { heads, length, d, pairs: *pairs, layout: *layout, per_example })
            }
            _ => bail!(
                "rotary: cos {:?} and sin {:?} must both be [{length} or more, d / 2] or [{batch}, {length}, d / 2] for x {:?}",
                cos.dims(),
                sin.dims(),
                x.dims()
            ),
        }
    }

    /// Where the angles of row `row` of `x` begin.
    #[inline(always)]
    fn angles(&self, row: usize) -> usize {
        let position = match self.layout {
            RotaryLayout::LengthHeads => row / self.heads % self.length,
            RotaryLayout::HeadsLength => row % self.length,
        };
        row / (self.heads * self.length) * self.per_example + position * (self.d / 2)
    }
}

vectorized! {
    /// Every row of `x` rotated by its angles. `back` is -1 to rotate back, otherwise 1.
    fn rotate(op: &Rotation, x: &[f32], cos: &[f32], sin: &[f32], back: f32) -> Vec<f32> {
        let (width, half) = (op.d.max(1), op.d / 2);
        let rows = parallel::rows_per_task(width);
        parallel::build(x.len(), rows * width, |start, y| {
            let x = parallel::tail(x, start).chunks_exact(width);
            for (i, (y, x)) in y.chunks_exact_mut(width).zip(x).enumerate() {
                let at = op.angles(start / width + i);
                let angles = parallel::tail(cos, at).iter().zip(parallel::tail(sin, at)).take(half);
                match op.pairs {
                    RotaryPairs::Halves => {
                        let ((xa, xb), (ya, yb)) = (x.split_at(half), y.split_at_mut(half));
                        for ((((ya, yb), xa), xb), (c, s)) in ya.iter_mut().zip(yb).zip(xa).zip(xb).zip(angles) {
                            *ya = xa * c - xb * s * back;
                            *yb = xa * s * back + xb * c;
                        }
                    }
                    RotaryPairs::Neighbors => {
                        let pairs = y.as_chunks_mut::<2>().0.iter_mut().zip(x.as_chunks::<2>().0);
                        for (([ya, yb], [xa, xb]), (c, s)) in pairs.zip(angles) {
                            *ya = xa * c - xb * s * back;
                            *yb = xa * s * back + xb * c;
                        }
                    }
                }
            }
        })
    }
}

impl Operation<3> for Rotation {
    const NAME: &'static str = "rotary";

    fn forward(&self, [x, cos, sin]: [&[f32]; 3], _first: &Layout) -> Result<Vec<f32>> {
        Ok(rotate(self, x, cos, sin, 1.))
    }

    fn backward(&self, [x, cos, sin]: [&Tensor; 3], _y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let dx = || Ok(rotate(self, &values(g)?, &values(cos)?, &values(sin)?, -1.));
        Ok([gradient(x, dx)?, None, None])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{Case, random};
    use candle_core::{DType, Device};

    const LAYOUTS: [RotaryLayout; 2] = [RotaryLayout::LengthHeads, RotaryLayout::HeadsLength];
    const PAIRS: [RotaryPairs; 2] = [RotaryPairs::Halves, RotaryPairs::Neighbors];

    /// Cosines and sines of random angles.
    fn angles(dims: &[usize], dtype: DType) -> (Tensor, Tensor) {
        let angles = (random(dims, 7) * 3.).unwrap();
        [angles.cos(), angles.sin()].map(|t| t.unwrap().to_dtype(dtype).unwrap()).into()
    }

    fn case(x: [usize; 4], table: &[usize], pairs: RotaryPairs, layout: RotaryLayout) -> Case<'static> {
        let (single, double) = (angles(table, DType::F32), angles(table, DType::F64));
        let of = move |x: &Tensor, (cos, sin): &(Tensor, Tensor), kernels| {
            rotary(x, &Rotary { cos, sin, pairs, layout }, kernels)
        };
        Case::new(
            "rotary",
            &[&x],
            move |t, kernels| of(&t[0], &single, kernels),
            move |t| of(&t[0], &double, Kernels::Plain),
        )
    }

    fn all(check: impl Fn(Case<'_>), [b, t, h, d]: [usize; 4]) {
        for pairs in PAIRS {
            for layout in LAYOUTS {
                let x = if layout == RotaryLayout::LengthHeads { [b, t, h, d] } else { [b, h, t, d] };
                check(case(x, &[t + 2, d / 2], pairs, layout));
                check(case(x, &[b, t, d / 2], pairs, layout));
            }
        }
    }

    #[test]
    fn values_and_gradients_agree_with_plain_f64() {
        all(|case| case.agrees(1e-6), [2, 5, 3, 8]);
        all(|case| case.agrees(1e-6), [3, 70, 4, 64]);
    }

    #[test]
    fn plain_gradients_are_the_finite_differences() {
        all(|case| case.matches_finite_differences(), [2, 3, 2, 4]);
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        all(|case| case.is_deterministic(), [2, 70, 4, 64]);
    }

    #[test]
    fn angles_that_train_get_their_gradients() {
        for pairs in PAIRS {
            for layout in LAYOUTS {
                let turned = move |t: &[Tensor], kernels| {
                    rotary(&t[0], &Rotary { cos: &t[1], sin: &t[2], pairs, layout }, kernels)
                };
                let shapes: [&[usize]; 3] = [&[2, 3, 3, 4], &[3, 2], &[3, 2]];
                let case = Case::new("rotary", &shapes, turned, move |t| turned(t, Kernels::Plain));
                case.agrees(1e-6);
                case.matches_finite_differences();
            }
        }
    }

    #[test]
    fn a_quarter_turn_moves_the_first_feature_of_a_pair_to_the_second() {
        let x = Tensor::new(&[[[[1f32, 2., 3., 4.]]]], &Device::Cpu).unwrap();
        let (cos, sin) = (
            Tensor::zeros((1, 2), DType::F32, &Device::Cpu).unwrap(),
            Tensor::ones((1, 2), DType::F32, &Device::Cpu).unwrap(),
        );
        let layout = RotaryLayout::LengthHeads;
        let rotated = |pairs| {
            let y = rotary(&x, &Rotary { cos: &cos, sin: &sin, pairs, layout }, Kernels::Fused).unwrap();
            y.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(rotated(RotaryPairs::Halves), [-3., -4., 1., 2.]);
        assert_eq!(rotated(RotaryPairs::Neighbors), [-2., 1., -4., 3.]);
    }

    #[test]
    fn tables_that_do_not_fit_are_errors() {
        let x = Tensor::zeros((2, 5, 3, 8), DType::F32, &Device::Cpu).unwrap();
        for dims in [&[4, 4][..], &[5, 3], &[1, 5, 4], &[2, 6, 4], &[4]] {
            let table = Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
            let options = Rotary { cos: &table, sin: &table, pairs: PAIRS[0], layout: LAYOUTS[0] };
            for kernels in [Kernels::Fused, Kernels::Plain] {
                let error = rotary(&x, &options, kernels).unwrap_err().to_string();
                assert!(error.contains(&format!("{dims:?}")), "{error}");
            }
        }
    }
}
