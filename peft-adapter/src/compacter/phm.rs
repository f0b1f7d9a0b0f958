//! The parameterized hypercomplex multiplication layer: `x Σᵢ Aᵢ ⊗ Bᵢ + b`.

use candle_core::Tensor;
use candle_nn::init::ZERO;
use peft_core::{Ctx, Error, ParamSpec, Result, normal, rows};
use peft_kernels as ops;

/// A projection of `d_in` to `d_out` features (Zhang et al. 2021, arXiv 2102.08597, with the low rank and the shared rules of
/// Compacter).
#[derive(Debug)]
pub(super) struct Phm {
    /// How many products; divides both widths.
    pub(super) n: usize,
    pub(super) d_in: usize,
    pub(super) d_out: usize,
    /// The rank of `Bᵢ` where it is factorized.
    pub(super) rank: Option<usize>,
}

/// The names of a projection's weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) whole: &'static str,
    pub(super) left: &'static str,
    pub(super) right: &'static str,
    pub(super) bias: &'static str,
}

impl Phm {
    /// `Bᵢ` or its two factors, and the bias; the caller holds the rules `A: [n, n, n]`.
    pub(super) fn params(&self, names: Names) -> Vec<ParamSpec> {
        let n = self.n;
        let (rows, columns) = (self.d_in / n, self.d_out / n);
        let mut params = Vec::new();
        let mut glorot = |name, rows: usize, columns: usize| {
            let stdev = (2. / (rows + columns) as f64).sqrt();
            params.push(ParamSpec::new(name, [n, rows, columns], normal(stdev)));
        };
        match self.rank {
            Some(rank) => {
                glorot(names.left, rows, rank);
                glorot(names.right, rank, columns);
            }
            None => glorot(names.whole, rows, columns),
        }
        params.push(ParamSpec::new(names.bias, [self.d_out], ZERO));
        params
    }

    /// How many weights that is.
    pub(super) fn count(&self) -> usize {
        if self.rank.is_some() { 3 } else { 2 }
    }

    /// `x [batch, length, d_in]` to `[batch, length, d_out]`; `rule` and each of `weights` may have a leading
    /// batch axis.
    pub(super) fn forward(&self, x: &Tensor, rule: &Tensor, weights: &[Tensor], ctx: &Ctx) -> Result<Tensor> {
        let (b, bias) = match weights {
            [left, right, bias] => (left.broadcast_matmul(right)?, bias),
            [whole, bias] => (whole.clone(), bias),
            _ => return Err(Error::Mismatch(format!("a projection of Compacter got {} weights", weights.len()))),
        };
        let y = ops::linear(x, &self.matrix(rule, &b)?, ctx.kernels())?;
        Ok(y.broadcast_add(&rows::vector(bias)?)?)
    }

    /// `(Σᵢ Aᵢ ⊗ Bᵢ)ᵀ`, `[d_out, d_in]`, with a leading batch axis if `A` or `B` has one. The sum over `i` is one matrix
    /// product of `A [n², n]` and `B [n, rows · columns]`; its axes `(a, c, row, column)` are then permuted.
    fn matrix(&self, rule: &Tensor, b: &Tensor) -> Result<Tensor> {
        let Self { n, d_in, d_out, .. } = *self;
        let (rows, columns) = (d_in / n, d_out / n);
        let flat = |t: &Tensor, elements: usize| match t.rank() {
            3 => t.reshape((n, elements)),
            _ => t.reshape(((), n, elements)),
        };
        let a = flat(rule, n * n)?.t()?;
        let product = a.broadcast_matmul(&flat(b, rows * columns)?)?;
        let batch = if product.rank() == 3 { product.dim(0)? } else { 1 };
        let product = product.reshape(&[batch, n, n, rows, columns][..])?;
        let matrix = product.permute([0, 2, 4, 1, 3])?.reshape((batch, d_out, d_in))?;
        match rule.rank().max(b.rank()) {
            3 => Ok(matrix.squeeze(0)?),
            _ => Ok(matrix),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use candle_core::Device;

    fn tensor(values: &[f32], dims: &[usize]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap().reshape(dims).unwrap()
    }

    /// From 4 to 2 features by two products of rank 1.
    const PHM: Phm = Phm { n: 2, d_in: 4, d_out: 2, rank: Some(1) };

    /// A₁ = (1 2; 3 4), A₂ = (0 1; -1 0); s₁ = (1, 2), t₁ = (3); s₂ = (5, -1), t₂ = (2).
    fn weights() -> (Tensor, Vec<Tensor>) {
        let rule = tensor(&[1., 2., 3., 4., 0., 1., -1., 0.], &[2, 2, 2]);
        let left = tensor(&[1., 2., 5., -1.], &[2, 2, 1]);
        (rule, vec![left, tensor(&[3., 2.], &[2, 1, 1]), tensor(&[0.5, -0.5], &[2])])
    }

    #[test]
    fn it_is_the_sum_of_kronecker_products() {
        let (rule, factors) = weights();
        // B₁ = (3; 6), B₂ = (10; -2). Row 2a + p and column c of the matrix: A₁[a, c] B₁[p] + A₂[a, c] B₂[p]:
        // (3, 6 + 10), (6, 12 - 2), (9 - 10, 12), (18 + 2, 24).
        let x = tensor(&[1., 10., 100., 1000.], &[1, 1, 4]);
        let y = PHM.forward(&x, &rule, &factors, &Ctx::eval()).unwrap();
        let expected = [3. + 60. - 100. + 20000. + 0.5, 16. + 100. + 1200. + 24000. - 0.5];
        assert_eq!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);
    }

    #[test]
    fn without_factors_the_blocks_are_given() {
        let (rule, factors) = weights();
        let whole = tensor(&[3., 6., 10., -2.], &[2, 2, 1]);
        let x = tensor(&[1., -2., 3., 0.5], &[1, 1, 4]);
        let given = vec![whole, factors[2].clone()];
        let y = Phm { rank: None, ..PHM }.forward(&x, &rule, &given, &Ctx::eval()).unwrap();
        let expected = PHM.forward(&x, &rule, &factors, &Ctx::eval()).unwrap();
        assert_eq!(y.to_vec3::<f32>().unwrap(), expected.to_vec3::<f32>().unwrap());
    }

    #[test]
    fn rows_may_have_weights_of_their_own() {
        let (rule, factors) = weights();
        let x = tensor(&[1., 2., 3., 4., -1., 0.5, 2., 8.], &[2, 1, 4]);
        let rows = |t: &Tensor| Tensor::stack(&[t.clone(), (t * 0.5).unwrap()], 0).unwrap();
        let half: Vec<Tensor> = factors.iter().map(|t| (t * 0.5).unwrap()).collect();
        let run = |x: &Tensor, rule: &Tensor, factors: &[Tensor]| {
            PHM.forward(x, rule, factors, &Ctx::eval()).unwrap().to_vec3::<f32>().unwrap().concat()
        };
        let row = |n| x.narrow(0, n, 1).unwrap();
        let batched: Vec<Tensor> = factors.iter().map(rows).collect();
        let shared_rule = run(&x, &rule, &batched);
        assert_eq!(shared_rule, [run(&row(0), &rule, &factors), run(&row(1), &rule, &half)].concat());
        let own_rules = run(&x, &rows(&rule), &batched);
        let half_rule = (&rule * 0.5).unwrap();
        assert_eq!(own_rules, [run(&row(0), &rule, &factors), run(&row(1), &half_rule, &half)].concat());
    }
}
