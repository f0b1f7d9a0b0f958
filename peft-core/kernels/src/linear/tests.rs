//! Every fused linear map against the plain one.

use candle_core::{DType, Device, Tensor, Var};

use super::*;
use crate::dropout::DropoutKey;
use crate::kernels::Kernels;
use crate::testing::{Case, frozen, random};

fn case(x: &[usize], w: &[usize]) -> Case<'static> {
    Case::new("linear", &[x, w], |t, kernels| linear(&t[0], &t[1], kernels), |t| linear_plain(&t[0], &t[1]))
}

#[test]
fn values_and_gradients_agree_with_plain_f64() {
    case(&[5], &[3, 5]).agrees(2e-6);
    case(&[4, 5], &[3, 5]).agrees(2e-6);
    case(&[2, 65, 96], &[72, 96]).agrees(2e-6);
    case(&[2, 3, 4, 5], &[1, 5]).agrees(2e-6);
}

#[test]
fn one_weight_per_example_agrees_with_plain_f64() {
    case(&[1, 4, 5], &[1, 3, 5]).agrees(2e-6);
    case(&[5, 33, 96], &[5, 8, 96]).agrees(2e-6);
}

#[test]
fn plain_gradients_are_the_finite_differences() {
    case(&[2, 3, 4], &[5, 4]).matches_finite_differences();
    case(&[2, 3, 4], &[2, 5, 4]).matches_finite_differences();
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    case(&[8, 64, 256], &[512, 256]).is_deterministic();
    case(&[5, 33, 96], &[5, 72, 96]).is_deterministic();
}

#[test]
fn a_frozen_weight_receives_no_gradient_nor_does_a_constant_input() {
    frozen(&case(&[4, 5], &[3, 5]), 1);
    frozen(&case(&[4, 5], &[3, 5]), 0);
}

#[test]
fn f64_has_the_same_gradients() {
    for (x_dims, w_dims) in [(&[2, 3, 4], &[5, 4][..]), (&[2, 3, 4], &[2, 5, 4])] {
        let x = Var::randn(0f64, 1., &x_dims[..], &Device::Cpu).unwrap();
        let w = Var::randn(0f64, 1., w_dims, &Device::Cpu).unwrap();
        let gradients = |y: Tensor| {
            let grads = y.sqr().unwrap().backward().unwrap();
            [&x, &w].map(|v| grads.get(v).unwrap().flatten_all().unwrap())
        };
        let fused = gradients(linear(&x, &w, Kernels::Fused).unwrap());
        let plain = gradients(linear_plain(&x, &w).unwrap());
        for (fused, plain) in fused.iter().zip(&plain) {
            let error = (fused - plain).unwrap().abs().unwrap().max(0).unwrap();
            assert!(error.to_scalar::<f64>().unwrap() < 1e-12);
        }
    }
}

#[test]
fn a_bf16_weight_gives_values_and_gradients_within_its_rounding() {
    for (x_dims, w_dims) in [(&[3, 7, 20][..], [10, 20]), (&[160, 64], [96, 64]), (&[33], [40, 33])] {
        let x = Var::from_tensor(&random(x_dims, 1).to_dtype(DType::F32).unwrap()).unwrap();
        let w = random(&w_dims, 2).to_dtype(DType::BF16).unwrap();
        let run = |kernels| {
            let y = linear(&x, &w, kernels).unwrap();
            let dx = y.sqr().unwrap().backward().unwrap().get(&x).unwrap().clone();
            [y.detach(), dx]
        };
        for (fused, plain) in run(Kernels::Fused).iter().zip(&run(Kernels::Plain)) {
            assert_eq!((fused.dtype(), fused.dims()), (DType::F32, plain.dims()));
            let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
            assert!(norm(&(fused - plain).unwrap()) < 6e-3 * norm(plain), "{x_dims:?}");
        }
    }
}

#[test]
fn a_bf16_weight_that_trains_is_refused() {
    let x = Tensor::ones((2, 4), DType::F32, &Device::Cpu).unwrap();
    let w = Var::ones((3, 4), DType::BF16, &Device::Cpu).unwrap();
    let error = linear(&x, &w, Kernels::Fused).unwrap_err().to_string();
    assert!(error.contains("must be frozen"), "{error}");
}

#[test]
fn strided_arguments_are_accepted() {
    let x = Tensor::arange(0f32, 6., &Device::Cpu).unwrap().reshape((2, 3)).unwrap();
    let y = linear(&x.t().unwrap(), &x.t().unwrap(), Kernels::Fused).unwrap();
    let expected = [[9f32, 12., 15.], [12., 17., 22.], [15., 22., 29.]];
    assert_eq!(y.to_vec2::<f32>().unwrap(), expected);
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let t = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
    for (x, w) in [(&[4, 5][..], &[3, 4][..]), (&[2, 4, 5], &[3, 4, 5]), (&[4, 5], &[2, 3, 5])] {
        let error = linear(&t(x), &t(w), Kernels::Fused).unwrap_err().to_string();
        assert!(error.contains(&format!("{x:?}")) && error.contains(&format!("{w:?}")));
    }
}

fn dropping(p: f64) -> Option<DropoutKey> {
    Some(DropoutKey { p, seed: 5, stream: 6 })
}

fn network<'a>(w_in: &'a Tensor, w_out: &'a Tensor, dropout: Option<DropoutKey>) -> FeedForward<'a> {
    FeedForward { w_in, w_out, dropout }
}

/// [`feed_forward`] with frozen weights.
fn feed_forward_case(x: &[usize], w_in: [usize; 2], d_out: usize, key: Option<DropoutKey>) -> Case<'static> {
    let weights = [random(&w_in, 7), random(&[d_out, w_in[0]], 8)];
    let wide = weights.clone();
    Case::new(
        "feed_forward",
        &[x],
        move |t, kernels| {
            let [w_in, w_out] = [weights[0].to_dtype(t[0].dtype())?, weights[1].to_dtype(t[0].dtype())?];
            feed_forward(&t[0], &network(&w_in, &w_out, key), kernels)
        },
        move |t| feed_forward_plain(&t[0], &network(&wide[0], &wide[1], key)),
    )
}

#[test]
fn a_feed_forward_network_agrees_with_plain_f64() {
    for key in [None, dropping(0.0), dropping(0.3)] {
        feed_forward_case(&[5], [3, 5], 4, key).agrees(2e-6);
        feed_forward_case(&[2, 65, 96], [160, 96], 72, key).agrees(2e-6);
    }
    let trains = Case::new(
        "feed_forward",
        &[&[2, 65, 96], &[160, 96], &[72, 160]],
        |t, kernels| feed_forward(&t[0], &network(&t[1], &t[2], dropping(0.3)), kernels),
        |t| feed_forward_plain(&t[0], &network(&t[1], &t[2], dropping(0.3))),
    );
    trains.agrees(2e-6);
}

#[test]
fn a_feed_forward_network_is_the_same_for_any_number_of_threads() {
    feed_forward_case(&[8, 64, 96], [512, 96], 96, dropping(0.1)).is_deterministic();
}

#[test]
fn maps_of_a_feed_forward_network_that_do_not_fit_are_named() {
    let t = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
    let error = feed_forward(&t(&[3, 5]), &network(&t(&[7, 5]), &t(&[5, 6]), None), Kernels::Fused);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("[7, 5]") && error.contains("[5, 6]"), "{error}");
}

/// [`linear_low_rank`] with a frozen weight.
fn low_rank_case(x: &[usize], w: [usize; 2], r: usize, key: Option<DropoutKey>) -> Case<'static> {
    let ([d_out, d_in], batch) = (w, x[0]);
    let (a, b) = (vec![r, d_in], vec![d_out, r]);
    // A rank of 0 means weights that differ between examples.
    let (a, b) = if r == 0 { (vec![batch, 2, d_in], vec![batch, d_out, 2]) } else { (a, b) };
    let frozen = random(&w, 7);
    let wide = frozen.clone();
    fn branch(t: &[Tensor], key: Option<DropoutKey>) -> LowRank<'_> {
        LowRank { a: &t[1], b: &t[2], scaling: 1.5, dropout: key }
    }
    Case::new(
        "linear_low_rank",
        &[x, &a, &b],
        move |t, kernels| linear_low_rank(&t[0], &frozen.to_dtype(t[0].dtype())?, &branch(t, key), kernels),
        move |t| linear_low_rank_plain(&t[0], &wide, &branch(t, key)),
    )
}

#[test]
fn a_low_rank_branch_agrees_with_plain_f64() {
    for key in [None, dropping(0.0), dropping(0.3)] {
        low_rank_case(&[4, 5], [3, 5], 2, key).agrees(2e-6);
        low_rank_case(&[2, 65, 96], [72, 96], 8, key).agrees(2e-6);
        low_rank_case(&[3, 7, 20], [10, 20], 0, key).agrees(2e-6);
    }
}

#[test]
fn plain_gradients_of_a_low_rank_branch_are_the_finite_differences() {
    low_rank_case(&[2, 3, 4], [5, 4], 2, dropping(0.3)).matches_finite_differences();
}

#[test]
fn a_low_rank_branch_is_the_same_for_any_number_of_threads() {
    low_rank_case(&[8, 64, 96], [512, 96], 8, dropping(0.1)).is_deterministic();
}

#[test]
fn frozen_arguments_of_a_low_rank_branch_receive_no_gradient() {
    for i in 0..3 {
        frozen(&low_rank_case(&[4, 5], [3, 5], 2, None), i);
    }
}

#[test]
fn a_low_rank_branch_may_have_a_bf16_weight() {
    let x = random(&[6, 32], 1).to_dtype(DType::F32).unwrap();
    let w = random(&[24, 32], 2).to_dtype(DType::BF16).unwrap();
    let (a, b) = (random(&[4, 32], 3), random(&[24, 4], 4));
    let [a, b] = [a, b].map(|t| t.to_dtype(DType::F32).unwrap());
    let branch = LowRank { a: &a, b: &b, scaling: 0.5, dropout: None };
    let fused = linear_low_rank(&x, &w, &branch, Kernels::Fused).unwrap();
    let plain = linear_low_rank_plain(&x, &w, &branch).unwrap();
    assert!(crate::testing::error(&fused, &plain) < 6e-3);
}

#[test]
fn a_low_rank_branch_that_does_not_fit_is_named() {
    let t = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
    let (a, b) = (t(&[2, 5]), t(&[4, 2]));
    let branch = LowRank { a: &a, b: &b, scaling: 1.0, dropout: None };
    let error = linear_low_rank(&t(&[3, 5]), &t(&[6, 5]), &branch, Kernels::Fused).unwrap_err().to_string();
    assert!(error.contains("[4, 2]"), "{error}");
}

fn int8(w: &Tensor) -> Tensor {
    crate::quantize(w).unwrap()
}

#[test]
fn a_weight_of_eight_bits_agrees_with_the_plain_version_and_nearly_with_the_matrix() {
    for (x_dims, w_dims) in
        [(&[3, 7, 20][..], [10, 20]), (&[160, 64], [96, 64]), (&[33], [40, 33]), (&[40, 512], [64, 512])]
    {
        let x = random(x_dims, 1).to_dtype(DType::F32).unwrap();
        let wide = random(&w_dims, 2).to_dtype(DType::F32).unwrap();
        let w = int8(&wide);
        let fused = linear(&x, &w, Kernels::Fused).unwrap();
        let plain = linear(&x, &w, Kernels::Plain).unwrap();
        assert_eq!(fused.dims(), plain.dims());
        assert!(crate::testing::error(&fused, &plain) < 2e-6, "{x_dims:?}");
        let exact = linear_plain(&x, &wide).unwrap();
        let error = crate::testing::error(&fused, &exact);
        assert!(error > 1e-5 && error < 2e-2, "{x_dims:?}: {error}");
    }
}

#[test]
fn networks_and_branches_take_weights_of_eight_bits() {
    let f32 = |dims: &[usize], seed| random(dims, seed).to_dtype(DType::F32).unwrap();
    let (x, w_in, w_out) = (f32(&[6, 32], 1), int8(&f32(&[64, 32], 2)), int8(&f32(&[32, 64], 3)));
    let fused = feed_forward(&x, &network(&w_in, &w_out, None), Kernels::Fused).unwrap();
    let plain = feed_forward_plain(&x, &network(&w_in, &w_out, None)).unwrap();
    // A sum that is rounded to another step of the second map differs by one step of 255.
    assert!(crate::testing::error(&fused, &plain) < 1e-3);
    assert!(feed_forward(&x, &network(&w_in, &w_in, None), Kernels::Fused).is_err());
    let (a, b) = (f32(&[4, 32], 3), f32(&[64, 4], 4));
    let branch = LowRank { a: &a, b: &b, scaling: 0.5, dropout: None };
    let fused = linear_low_rank(&x, &w_in, &branch, Kernels::Fused).unwrap();
    let plain = linear_low_rank_plain(&x, &w_in, &branch).unwrap();
    assert!(crate::testing::error(&fused, &plain) < 2e-6);
}

#[test]
fn a_weight_of_eight_bits_passes_no_gradient_and_says_so() {
    let w = int8(&random(&[3, 4], 1));
    let x = Var::ones((2, 4), DType::F32, &Device::Cpu).unwrap();
    let wide = Tensor::ones((2, 4), DType::F64, &Device::Cpu).unwrap();
    for kernels in [Kernels::Fused, Kernels::Plain] {
        let error = linear(&x, &w, kernels).unwrap_err().to_string();
        assert!(error.contains("passes no gradient"), "{error}");
        let error = linear(&wide, &w, kernels).unwrap_err().to_string();
        assert!(error.contains("needs an f32 input"), "{error}");
    }
}

#[test]
fn the_map_of_a_device_is_as_exact_as_bf16_with_a_frozen_bf16_weight() {
    // Rounding to nearest costs 2⁻⁹ for each of the input, the gradient and the result.
    const BOUND: f64 = 6e-3;
    for (x_dims, w_dims) in [(&[3, 7, 20][..], [10, 20]), (&[160, 64], [96, 64])] {
        let exact = Var::from_tensor(&random(x_dims, 1)).unwrap();
        let x = Var::from_tensor(&exact.to_dtype(DType::F32).unwrap()).unwrap();
        let w = random(&w_dims, 2).to_dtype(DType::BF16).unwrap();
        let wide = w.to_dtype(DType::F64).unwrap();
        let c = random(linear(&x, &w, Kernels::Plain).unwrap().dims(), 3);
        let run = |y: Tensor, x: &Var| {
            let gradients = (&y * c.to_dtype(y.dtype()).unwrap()).unwrap().sum_all().unwrap().backward().unwrap();
            assert!(gradients.get(&w).is_none());
            [y.detach(), gradients.get(x).unwrap().clone()]
        };
        let found = run(linear(&x, &w, Kernels::Device).unwrap(), &x);
        let plain = run(linear_plain(&exact, &wide).unwrap(), &exact);
        for (found, plain) in found.iter().zip(&plain) {
            assert_eq!(found.dtype(), DType::F32);
            assert!(crate::testing::error(found, plain) < BOUND, "{x_dims:?}");
        }
    }
}

#[test]
fn every_map_of_a_device_runs_in_bf16() {
    case(&[4, 20], &[3, 20]).agrees_in_bf16(1.5e-2);
    case(&[5, 33, 24], &[5, 8, 24]).agrees_in_bf16(1.5e-2);
}

#[test]
fn a_frozen_weight_may_be_a_view_on_a_device() {
    let x = Var::from_tensor(&random(&[2, 5], 1).to_dtype(DType::F32).unwrap()).unwrap();
    let wide = random(&[3, 9], 2).to_dtype(DType::F32).unwrap();
    let transposed = random(&[5, 3], 3).to_dtype(DType::F32).unwrap().t().unwrap();
    for w in [wide.narrow(1, 2, 5).unwrap(), transposed] {
        let run = |kernels, w: &Tensor| {
            let y = linear(&x, w, kernels).unwrap();
            let dx = y.sqr().unwrap().backward().unwrap().get(&x).unwrap().clone();
            [y.detach(), dx]
        };
        for (found, plain) in run(Kernels::Device, &w).iter().zip(&run(Kernels::Plain, &w.contiguous().unwrap())) {
            assert!(crate::testing::error(found, plain) < 2e-6);
        }
    }
}
