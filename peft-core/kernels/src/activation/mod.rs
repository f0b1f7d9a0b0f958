//! Element-wise activations.
//!
//! | file | is |
//! |---|---|
//! | `curve.rs` | what an activation is to the loops: a function of one number with a slope |
//! | `choose.rs` | loops over the curve of an activation that is chosen at run time |
//! | `relu.rs`, `silu.rs`, `gelu.rs`, `gelu_tanh.rs` | the activations |
//! | `fused.rs` | the fused operation, on the CPU |
//! | `device.rs` | the operation on a device |

mod choose;
mod curve;
mod device;
mod fused;
mod gelu;
mod gelu_tanh;
mod relu;
mod silu;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

use candle_core::{Result, Tensor};

pub(crate) use self::choose::with_curve;
pub(crate) use self::curve::Curve;
pub(crate) use self::gelu::Gelu;
pub use self::gelu::{gelu, gelu_plain};
pub(crate) use self::gelu_tanh::GeluTanh;
pub use self::gelu_tanh::{gelu_tanh, gelu_tanh_plain};
pub(crate) use self::relu::Relu;
pub use self::relu::{relu, relu_plain};
pub(crate) use self::silu::Silu;
pub use self::silu::{silu, silu_plain};
use crate::graph::composed1;
use crate::kernels::{Kernels, Path};
use crate::operation::Fused;

/// The activation function inside another operation, such as [`bottleneck`](fn@crate::bottleneck) and
/// [`gated`](fn@crate::gated).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// [`relu`].
    Relu,
    /// [`gelu_tanh`].
    GeluTanh,
    /// [`gelu`].
    Gelu,
    /// [`silu`].
    Silu,
}

impl Activation {
    /// Applies the function to every element of `x`. The result has `x`'s shape; the gradient reaches `x` if it is tracked.
    ///
    /// # Errors
    ///
    /// Only those of the device.
    pub fn forward(self, x: &Tensor, kernels: Kernels) -> Result<Tensor> {
        match kernels.path_for(&[x]) {
            Path::Cpu => return x.contiguous()?.apply_op1(Fused(self)),
            Path::Device => return composed1(device::OnDevice(self), x),
            Path::Plain => {}
        }
        match self {
            Self::Relu => relu_plain(x),
            Self::GeluTanh => gelu_tanh_plain(x),
            Self::Gelu => gelu_plain(x),
            Self::Silu => silu_plain(x),
        }
    }
}
