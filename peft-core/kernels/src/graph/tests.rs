//! Results of tensor operations with gradients of our own.

use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Storage, Var};

use super::*;

/// Where the numbers of a tensor are.
fn address(tensor: &Tensor) -> usize {
    match &*tensor.storage_and_layout().0 {
        Storage::Cpu(CpuStorage::F32(numbers)) => numbers.as_ptr().addr(),
        _ => 0,
    }
}

/// `f(a) + b` with gradients that nobody derives: 10 and 20 times that of the result.
struct Invented<F> {
    f: F,
    computed: Arc<Mutex<usize>>,
}

impl<F: Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync + 'static> Composed<2> for Invented<F> {
    const NAME: &'static str = "invented";

    fn forward(&self, [a, b]: [&Tensor; 2]) -> Result<Tensor> {
        assert!(!a.track_op() && !b.track_op());
        let y = (self.f)(a, b)?;
        *self.computed.lock().unwrap() = address(&y);
        Ok(y)
    }

    fn backward(&self, _: [&Tensor; 2], wanted: [bool; 2], y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; 2]> {
        assert!(!y.track_op() && !g.track_op() && g.is_contiguous());
        Ok([if_wanted(wanted[0], || g * 10.)?, if_wanted(wanted[1], || g * 20.)?])
    }
}

/// The result, and where it was computed.
fn run(
    f: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync + 'static,
    a: &Tensor,
    b: &Tensor,
) -> (Tensor, usize) {
    let computed = Arc::new(Mutex::new(0));
    let y = composed2(Invented { f, computed: computed.clone() }, a, b).unwrap();
    let computed = *computed.lock().unwrap();
    (y, computed)
}

#[test]
fn the_result_is_not_copied_and_has_the_given_gradients() {
    let (a, b) = (Var::ones((3, 4), DType::F32, &Device::Cpu).unwrap(), Tensor::ones(4, DType::F32, &Device::Cpu));
    let b = Var::from_tensor(&b.unwrap()).unwrap();
    let (y, computed) = run(|a, b| a.broadcast_add(b), &a, &b.as_tensor().broadcast_as((3, 4)).unwrap());
    assert!(computed != 0 && address(&y) == computed);
    assert_eq!(y.to_vec2::<f32>().unwrap(), [[2.; 4]; 3]);
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert_eq!(gradients.get(&a).unwrap().to_vec2::<f32>().unwrap(), [[10.; 4]; 3]);
    assert_eq!(gradients.get(&b).unwrap().to_vec1::<f32>().unwrap(), [60.; 4], "summed by candle's broadcast");
}

#[test]
fn a_view_or_an_argument_is_copied_so_that_the_argument_keeps_its_numbers() {
    let a = Var::from_tensor(&Tensor::arange(0f32, 6., &Device::Cpu).unwrap().reshape((2, 3)).unwrap()).unwrap();
    let b = Tensor::ones((2, 3), DType::F32, &Device::Cpu).unwrap();
    let same = run(|a, _| Ok(a.clone()), &a, &b).0;
    let view = run(|a, b| (a + b)?.t(), &a, &b).0;
    let part = run(|a, b| (a + b)?.narrow(0, 1, 1), &a, &b).0;
    assert_eq!(same.to_vec2::<f32>().unwrap(), [[0., 1., 2.], [3., 4., 5.]]);
    assert_eq!(view.to_vec2::<f32>().unwrap(), [[1., 4.], [2., 5.], [3., 6.]]);
    assert_eq!(part.to_vec2::<f32>().unwrap(), [[4., 5., 6.]]);
    assert_eq!(a.to_vec2::<f32>().unwrap(), [[0., 1., 2.], [3., 4., 5.]]);
}

#[test]
fn constants_stay_out_of_the_graph() {
    let (a, b) = (Tensor::ones(3, DType::F32, &Device::Cpu).unwrap(), Var::ones(3, DType::F32, &Device::Cpu).unwrap());
    assert!(!run(|a, b| a + b, &a, &b.detach()).0.track_op());
    let gradients = run(|a, b| a + b, &a, &b).0.sum_all().unwrap().backward().unwrap();
    assert!(gradients.get(&a).is_none() && gradients.get(&b).is_some());
}
