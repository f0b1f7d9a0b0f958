//! The checks that the tests of all operations share: comparison with the plain `f64` version, finite differences, and
//! independence of the number of threads.
#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::kernels::Kernels;

type Fused<'a> = Box<dyn Fn(&[Tensor], Kernels) -> Result<Tensor> + Send + Sync + 'a>;
type Plain<'a> = Box<dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'a>;

/// An operation, its specification and the shapes of its differentiable arguments.
pub(crate) struct Case<'a> {
    name: &'static str,
    shapes: Vec<Vec<usize>>,
    fused: Fused<'a>,
    plain: Plain<'a>,
}

/// `n` numbers in `[-1, 1)`, which depend on `seed` only.
pub(crate) fn uniform(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..20).for_each(|_| {
        next();
    });
    (0..n).map(|_| next()).collect()
}

/// Numbers in `[-1, 1)` that `f32` represents exactly, as `f64`.
pub(crate) fn random(dims: &[usize], seed: u64) -> Tensor {
    let numbers = uniform(dims.iter().product(), seed);
    let exact: Vec<f64> = numbers.iter().map(|x| f64::from(*x as f32)).collect();
    Tensor::from_vec(exact, dims, &Device::Cpu).unwrap()
}

/// The largest difference, relative to the largest element of `expected`.
pub(crate) fn error(actual: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(actual.dims(), expected.dims());
    let flat = |t: &Tensor| {
        let t = t.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
        t.to_vec1::<f64>().unwrap()
    };
    let (actual, expected) = (flat(actual), flat(expected));
    let largest = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let difference = actual.iter().zip(&expected).fold(0.0, |m: f64, (a, e)| {
        assert!(a.is_finite() && e.is_finite());
        m.max((a - e).abs())
    });
    difference / largest.max(1e-6)
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        name: &'static str,
        shapes: &[&[usize]],
        fused: impl Fn(&[Tensor], Kernels) -> Result<Tensor> + Send + Sync + 'a,
        plain: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'a,
    ) -> Self {
        Self {
            name,
            shapes: shapes.iter().map(|dims| dims.to_vec()).collect(),
            fused: Box::new(fused),
            plain: Box::new(plain),
        }
    }

    fn arguments(&self, dtype: DType) -> Vec<Var> {
        let shapes = self.shapes.iter().zip(1..);
        let random = shapes.map(|(dims, seed)| random(dims, seed).to_dtype(dtype).unwrap());
        random.map(|t| Var::from_tensor(&t).unwrap()).collect()
    }

    /// The result, and the gradients of `sum(result * c)` for a random `c`.
    fn run(&self, arguments: &[Var], tensors: &[Tensor], kernels: Kernels) -> Vec<Tensor> {
        let y = match kernels {
            Kernels::Plain => (self.plain)(tensors),
            _ => (self.fused)(tensors, kernels),
        };
        let y = y.unwrap();
        let loss = weighted_sum(&y);
        let grads = loss.backward().unwrap();
        let gradients = arguments.iter().map(|v| match grads.get(v) {
            Some(g) => g.clone(),
            None => Tensor::new(f32::NAN, &Device::Cpu).unwrap(),
        });
        std::iter::once(y.detach()).chain(gradients).collect()
    }

    fn run_tracked(&self, dtype: DType, kernels: Kernels) -> Vec<Tensor> {
        let vars = self.arguments(dtype);
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        self.run(&vars, &tensors, kernels)
    }

    /// Checks that the value and every gradient of the fused `f32` version, and of the device's, agree with those of the plain `f64`
    /// version.
    pub(crate) fn agrees(&self, bound: f64) {
        let plain = self.run_tracked(DType::F64, Kernels::Plain);
        for kernels in [Kernels::Fused, Kernels::Device] {
            let found = self.run_tracked(DType::F32, kernels);
            let errors: Vec<f64> = found.iter().zip(&plain).map(|(f, p)| error(f, p)).collect();
            println!("{} {:?} {kernels:?}: errors {errors:?}", self.name, self.shapes);
            for (i, e) in errors.iter().enumerate() {
                let what = if i == 0 { "value".into() } else { format!("gradient {i}") };
                assert!(*e < bound, "{} {:?} {kernels:?}: {what} is off by {e:e}", self.name, self.shapes);
            }
        }
    }

    /// Checks that the device's version in `bf16` agrees with the plain `f64` version of the same arguments, which are rounded to `bf16`.
    pub(crate) fn agrees_in_bf16(&self, bound: f64) {
        let vars = self.arguments(DType::BF16);
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let found = self.run(&vars, &tensors, Kernels::Device);
        let exact = |v: &Var| Var::from_tensor(&v.to_dtype(DType::F64).unwrap()).unwrap();
        let vars: Vec<Var> = vars.iter().map(exact).collect();
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let plain = self.run(&vars, &tensors, Kernels::Plain);
        for (i, (found, plain)) in found.iter().zip(&plain).enumerate() {
            let e = error(found, plain);
            println!("{} {:?} bf16, {i}: {e:e}", self.name, self.shapes);
            assert!(found.dtype() == DType::BF16 && e < bound, "{} {:?}: {i} is off by {e:e}", self.name, self.shapes);
        }
    }

    /// Checks that the gradients of the plain version are its central differences.
    pub(crate) fn matches_finite_differences(&self) {
        let gradients = self.run_tracked(DType::F64, Kernels::Plain);
        let base: Vec<Tensor> = self.shapes.iter().zip(1..).map(|(d, s)| random(d, s)).collect();
        let h = 1e-5;
        for (i, gradient) in gradients[1..].iter().enumerate() {
            let gradient = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            for (j, expected) in gradient.iter().enumerate() {
                let at = |offset: f64| {
                    let mut moved = base.clone();
                    let mut flat = base[i].flatten_all().unwrap().to_vec1::<f64>().unwrap();
                    flat[j] += offset;
                    moved[i] = Tensor::from_vec(flat, base[i].dims(), &Device::Cpu).unwrap();
                    weighted_sum(&(self.plain)(&moved).unwrap()).to_scalar::<f64>().unwrap()
                };
                let slope = (at(h) - at(-h)) / (2.0 * h);
                let off = (slope - expected).abs();
                assert!(off < 1e-7, "{}: argument {i}[{j}]: {expected} but {slope}", self.name);
            }
        }
    }

    /// Checks that values and gradients have the same bytes with 1, 2 and 3 threads, and if they are computed twice.
    pub(crate) fn is_deterministic(&self) {
        let bytes = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let tensors = pool.build().unwrap().install(|| self.run_tracked(DType::F32, Kernels::Fused));
            let bits = |t: &Tensor| -> Vec<u32> {
                let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                values.iter().map(|x| x.to_bits()).collect()
            };
            tensors.iter().map(bits).collect::<Vec<_>>()
        };
        let one = bytes(1);
        for threads in [2, 3, 2] {
            assert!(bytes(threads) == one, "{}: {threads} threads differ from 1", self.name);
        }
    }
}

/// Checks that argument `i` gets no gradient if it is untracked, and that the others are as before.
pub(crate) fn frozen(case: &Case<'_>, i: usize) {
    for kernels in [Kernels::Fused, Kernels::Device] {
        let vars = case.arguments(DType::F32);
        let mut tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let all = case.run(&vars, &tensors, kernels);
        tensors[i] = tensors[i].detach();
        let y = (case.fused)(&tensors, kernels).unwrap();
        let grads = weighted_sum(&y).backward().unwrap();
        assert!(grads.get(&tensors[i]).is_none(), "{} {kernels:?}: argument {i} has a gradient", case.name);
        for (j, var) in vars.iter().enumerate().filter(|(j, _)| *j != i) {
            assert_eq!(error(grads.get(var).unwrap(), &all[j + 1]), 0.0, "{} {kernels:?}: {j}", case.name);
        }
    }
}

/// `sum(y * c)` for a random `c`, of numbers that every type represents exactly.
fn weighted_sum(y: &Tensor) -> Tensor {
    let c = random(y.dims(), 99).to_dtype(DType::BF16).unwrap().to_dtype(y.dtype()).unwrap();
    (y * c).unwrap().sum_all().unwrap()
}
