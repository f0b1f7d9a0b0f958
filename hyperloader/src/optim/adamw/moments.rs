//! The running averages of one parameter.

use candle_core::{DType, Device, Tensor, Var};

use crate::Result;

/// First and second moment of a parameter in f32, and the number of its updates.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// Updates so far: the `t` of the bias correction.
    pub(super) steps: u64,
    /// The averages.
    pub(super) averages: Averages,
}

/// The averages, on the device that the update needs.
#[derive(Debug, Clone)]
pub(super) enum Averages {
    /// Plain buffers for the fused update on the processor.
    Host {
        /// `m`, row-major.
        first: Vec<f32>,
        /// `v`, row-major.
        second: Vec<f32>,
    },
    /// Tensors for the update by candle's operations on an accelerator.
    Device {
        /// `m`, of the parameter's shape.
        first: Tensor,
        /// `v`, of the parameter's shape.
        second: Tensor,
    },
}

impl Moments {
    /// Zeros, as before the first update.
    pub(super) fn zeros(variable: &Var) -> Result<Self> {
        let averages = if variable.device().is_cpu() {
            Averages::Host { first: vec![0.0; variable.elem_count()], second: vec![0.0; variable.elem_count()] }
        } else {
            let zeros = || Tensor::zeros(variable.shape(), DType::F32, variable.device());
            Averages::Device { first: zeros()?, second: zeros()? }
        };
        Ok(Self { steps: 0, averages })
    }

    /// The moments `(m, v)` of a saved state, on the device of `variable`.
    pub(super) fn restore(variable: &Var, steps: u64, first: &Tensor, second: &Tensor) -> Result<Self> {
        let averages = if variable.device().is_cpu() {
            Averages::Host { first: host_values(first)?, second: host_values(second)? }
        } else {
            // A copy: the saved tensors may be views of a larger buffer, or shared with the caller.
            Averages::Device {
                first: first.to_device(variable.device())?.copy()?,
                second: second.to_device(variable.device())?.copy()?,
            }
        };
        Ok(Self { steps, averages })
    }

    /// `(m, v)` as tensors of the parameter's shape, independent of later updates.
    pub(super) fn tensors(&self, variable: &Var) -> Result<(Tensor, Tensor)> {
        Ok(match &self.averages {
            Averages::Host { first, second } => {
                let tensor = |values: &[f32]| Tensor::from_slice(values, variable.shape(), &Device::Cpu);
                (tensor(first)?, tensor(second)?)
            }
            // Updates on a device replace these tensors and never write into them.
            Averages::Device { first, second } => (first.clone(), second.clone()),
        })
    }
}

fn host_values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()?)
}
