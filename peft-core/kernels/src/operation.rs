//! Fused operations as custom operations of candle.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use crate::values::{argument, tensor};

/// An operation on `N` contiguous `f32` tensors on the CPU, with a backward pass.
pub(crate) trait Operation<const N: usize>: Send + Sync {
    /// The name in candle's errors.
    const NAME: &'static str;

    /// The values of the result. `first` is the layout of the first argument.
    fn forward(&self, arguments: [&[f32]; N], first: &Layout) -> Result<Vec<f32>>;

    /// The gradient of each tracked argument, from the result `y` and its contiguous gradient `g`.
    fn backward(&self, arguments: [&Tensor; N], y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; N]>;

    /// The shape of the result, from that of the first argument.
    fn shape(&self, first: &Shape) -> Shape {
        first.clone()
    }
}

/// The gradient of `argument`, whose values are computed only if it is tracked.
pub(crate) fn gradient(argument: &Tensor, values: impl FnOnce() -> Result<Vec<f32>>) -> Result<Option<Tensor>> {
    argument.track_op().then(|| tensor(values()?, argument.shape())).transpose()
}

/// What the backward pass of the operation `name` hands on to candle: its gradients, unless a test breaks them. Every fused backward
/// pass ends here.
#[cfg(not(feature = "testing"))]
#[inline(always)]
pub(crate) fn passed_on<const N: usize>(
    _name: &'static str,
    gradients: [Option<Tensor>; N],
) -> Result<[Option<Tensor>; N]> {
    Ok(gradients)
}

#[cfg(feature = "testing")]
pub(crate) use crate::faults::passed_on;

/// An [`Operation`] that candle can apply.
pub(crate) struct Fused<T>(pub(crate) T);

// Candle has a trait of its own for each number of arguments.
macro_rules! custom_op {
    ($op:ident, $count:literal, $gradients:ty, $first:ident $(, $storage:ident $layout:ident $argument:ident)+) => {
        impl<T: Operation<$count>> $op for Fused<T> {
            fn name(&self) -> &'static str {
                T::NAME
            }

            fn cpu_fwd(&self, $($storage: &CpuStorage, $layout: &Layout),+) -> Result<(CpuStorage, Shape)> {
                let values = self.0.forward([$(argument($storage, $layout)?),+], $first)?;
                Ok((CpuStorage::F32(values), self.0.shape($first.shape())))
            }

            fn bwd(&self, $($argument: &Tensor),+, y: &Tensor, g: &Tensor) -> Result<$gradients> {
                let gradients = self.0.backward([$($argument),+], y, &g.contiguous()?)?;
                let [$($argument),+] = passed_on(T::NAME, gradients)?;
                Ok(($($argument),+))
            }
        }
    };
}

custom_op!(CustomOp1, 1, Option<Tensor>, l1, s1 l1 a);
custom_op!(CustomOp2, 2, (Option<Tensor>, Option<Tensor>), l1, s1 l1 a, s2 l2 b);
custom_op!(CustomOp3, 3, (Option<Tensor>, Option<Tensor>, Option<Tensor>), l1, s1 l1 a, s2 l2 b, s3 l3 c);
