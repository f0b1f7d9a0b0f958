//! The running averages of one parameter.

use candle_core::{Device, Tensor, Var};
use peft_kernels::transfer;

use crate::Result;

/// First and second moment of a parameter in f32, and the number of its updates.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// Updates so far: the `t` of the bias correction.
    pub(super) steps: u64,
    /// The averages.
    pub(super) averages: Averages,
}

/// The averages, where the update needs them.
#[derive(Debug, Clone)]
pub(super) enum Averages {
    /// Plain buffers for the fused update on the processor.
    Host {
        /// `m`, row-major.
        first: Vec<f32>,
        /// `v`, row-major.
        second: Vec<f32>,
    },
    /// Vectors for the update by candle's operations. They may be parts of longer ones.
    Device {
        /// `m`, row-major.
        first: Tensor,
        /// `v`, row-major.
        second: Tensor,
    },
}

impl Moments {
    /// Zeros, as before the first update on the processor.
    pub(super) fn zeros(variable: &Var) -> Self {
        let zeros = || vec![0.0; variable.elem_count()];
        Self { steps: 0, averages: Averages::Host { first: zeros(), second: zeros() } }
    }

    /// The moments `(m, v)` of a saved state: on the device of `variable`, if the update needs tensors.
    pub(super) fn restore(variable: &Var, steps: u64, moments: [&Tensor; 2], grouped: bool) -> Result<Self> {
        let [first, second] = moments;
        let averages = if grouped {
            // A copy: the saved tensors may be views of a larger buffer, or shared with the caller.
            let copied = |saved: &Tensor| moved(saved, variable.device())?.flatten_all()?.copy();
            Averages::Device { first: copied(first)?, second: copied(second)? }
        } else {
            Averages::Host { first: transfer::download(first)?, second: transfer::download(second)? }
        };
        Ok(Self { steps, averages })
    }

    /// `(m, v)` as tensors of the parameter's shape, independent of later updates.
    pub(super) fn tensors(&self, variable: &Var) -> Result<(Tensor, Tensor)> {
        Ok(match &self.averages {
            Averages::Host { first, second } => {
                let tensor = |values: &[f32]| transfer::upload(values.to_vec(), variable.shape().clone(), &Device::Cpu);
                (tensor(first)?, tensor(second)?)
            }
            Averages::Device { first, second } => {
                let tensor = |values: &Tensor| values.reshape(variable.shape())?.copy();
                (tensor(first)?, tensor(second)?)
            }
        })
    }
}

#[allow(clippy::disallowed_methods, reason = "a saved state, before the first step")]
fn moved(saved: &Tensor, device: &Device) -> candle_core::Result<Tensor> {
    saved.to_device(device)
}
