//! Gradients of our own for results that are computed by tensor operations, on any device.
//!
//! | file | is |
//! |---|---|
//! | `taken.rs` | the storage of a tensor, taken out of it |
//!
//! A custom operation of candle returns a new storage from its arguments' storages. A storage has few operations, a tensor has many. So
//! the result is first computed as a tensor, without a graph; then its storage is taken out and becomes the result of the custom operation.
//! Nothing is copied.

mod taken;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, Layout, MetalStorage, Result, Shape, Tensor,
};

use self::taken::Taken;
use crate::operation::passed_on;

/// An operation on `N` tensors of any device and type whose gradient is given, not derived.
pub(crate) trait Composed<const N: usize>: Send + Sync + 'static {
    /// The name in candle's errors.
    const NAME: &'static str;

    /// The result. The arguments have no graph. No clone or view of the result may be kept.
    fn forward(&self, arguments: [&Tensor; N]) -> Result<Tensor>;

    /// The gradients that are wanted, from the result `y` and its contiguous gradient `g`. No tensor here has a graph.
    fn backward(
        &self,
        arguments: [&Tensor; N],
        wanted: [bool; N],
        y: &Tensor,
        g: &Tensor,
    ) -> Result<[Option<Tensor>; N]>;
}

/// A [`Composed`] operation that candle can apply, with its result.
struct Known<T> {
    operation: T,
    result: Taken,
}

// Candle has a trait of its own for each number of arguments.
macro_rules! composed {
    ($function:ident, $apply:ident, $op:ident, $count:literal, $gradients:ty, $first:ident $(, $rest:ident)*;
     $($storage:ident $layout:ident $argument:ident),+) => {
        /// The result of `operation`, in the graph if an argument is.
        pub(crate) fn $function<T: Composed<$count>>(operation: T, $($argument: &Tensor),+) -> Result<Tensor> {
            let y = operation.forward([$(&$argument.detach()),+])?;
            if !($($argument.track_op())||+) {
                return Ok(y);
            }
            let result = Taken::out_of(y, &[$($argument),+])?;
            $first.$apply($($rest,)* Known { operation, result })
        }

        impl<T: Composed<$count>> $op for Known<T> {
            fn name(&self) -> &'static str {
                T::NAME
            }

            fn cpu_fwd(&self, $($storage: &CpuStorage, $layout: &Layout),+) -> Result<(CpuStorage, Shape)> {
                self.result.cpu()
            }

            fn cuda_fwd(&self, $($storage: &CudaStorage, $layout: &Layout),+) -> Result<(CudaStorage, Shape)> {
                self.result.cuda()
            }

            fn metal_fwd(&self, $($storage: &MetalStorage, $layout: &Layout),+) -> Result<(MetalStorage, Shape)> {
                self.result.metal()
            }

            fn bwd(&self, $($argument: &Tensor),+, y: &Tensor, g: &Tensor) -> Result<$gradients> {
                let wanted = [$($argument.track_op()),+];
                let arguments = [$(&$argument.detach()),+];
                let gradients = self.operation.backward(arguments, wanted, &y.detach(), &g.detach().contiguous()?)?;
                let [$($argument),+] = passed_on(T::NAME, gradients)?;
                Ok(($($argument),+))
            }
        }
    };
}

composed!(composed1, apply_op1, CustomOp1, 1, Option<Tensor>, a; _s1 _l1 a);
composed!(composed2, apply_op2, CustomOp2, 2, (Option<Tensor>, Option<Tensor>), a, b; _s1 _l1 a, _s2 _l2 b);
composed!(
    composed3, apply_op3, CustomOp3, 3, (Option<Tensor>, Option<Tensor>, Option<Tensor>), a, b, c;
    _s1 _l1 a, _s2 _l2 b, _s3 _l3 c
);

/// `value()` if it is wanted.
pub(crate) fn if_wanted(wanted: bool, value: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
    wanted.then(value).transpose()
}
