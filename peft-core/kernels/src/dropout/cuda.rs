//! Dropout of `f32` and `bf16` tensors as one operation of a device: the kernel `cuda/dropout.cu`, or the same arithmetic on the CPU.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor};
use half::bf16;

use super::{Dropper, dropped};
use crate::operation::{Operation, passed_on};
use crate::values::argument;

/// `y_i = 0` if element `i` is dropped, else `x_i` times the scale, computed in `f32` and rounded once.
///
/// The backward pass is the same operation on the gradient.
pub(super) struct OnDevice(pub(super) Dropper);

impl OnDevice {
    /// Whether the device of `x` has a kernel for it.
    pub(super) fn has_kernel(x: &Tensor) -> bool {
        cfg!(feature = "cuda") && x.device().is_cuda() && Self::supports(x.dtype()) && x.elem_count() > 0
    }

    /// Whether there is code for this type.
    pub(super) fn supports(dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::BF16)
    }
}

impl CustomOp1 for OnDevice {
    fn name(&self) -> &'static str {
        Dropper::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = match x {
            CpuStorage::BF16(_) => {
                let x: Vec<f32> = argument::<bf16>(x, layout)?.iter().map(|x| x.to_f32()).collect();
                CpuStorage::BF16(dropped(&self.0, &x).into_iter().map(bf16::from_f32).collect())
            }
            _ => CpuStorage::F32(dropped(&self.0, argument(x, layout)?)),
        };
        Ok((y, layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &candle_core::CudaStorage, layout: &Layout) -> Result<(candle_core::CudaStorage, Shape)> {
        launch::forward(&self.0, x, layout)
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let gradient = x.track_op().then(|| g.contiguous()?.apply_op1_no_bwd(self)).transpose()?;
        let [gradient] = passed_on(Dropper::NAME, [gradient])?;
        Ok(gradient)
    }
}

#[cfg(feature = "cuda")]
mod launch {
    use candle_core::cuda_backend::cudarc::driver::{DeviceRepr, LaunchConfig, PushKernelArg};
    use candle_core::cuda_backend::{CudaDType, CudaStorage, CudaStorageSlice, WrapErr};
    use candle_core::{Layout, Result, Shape, bail};
    use half::bf16;

    use super::super::Dropper;

    /// The compiled kernels, which the build script writes.
    const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/dropout.ptx"));
    /// The name under which candle keeps them.
    const MODULE: &str = "peft_kernels_dropout";

    /// Threads of a block.
    const BLOCK: u32 = 256;
    /// The most blocks of a launch. With more pairs than threads, a thread handles several.
    const MOST_BLOCKS: u32 = 1 << 16;

    /// `x` with every element dropped or scaled.
    pub(super) fn forward(dropper: &Dropper, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let y = match &x.slice {
            CudaStorageSlice::F32(_) => of_type::<f32>("dropout_f32", dropper, x, layout)?,
            CudaStorageSlice::BF16(_) => of_type::<bf16>("dropout_bf16", dropper, x, layout)?,
            _ => bail!("dropout on CUDA: expected f32 or bf16, got another type"),
        };
        Ok((y, layout.shape().clone()))
    }

    /// [`forward`] by the kernel `name`, whose elements are of type `T`.
    #[allow(unsafe_code, reason = "memory and kernels of a device")]
    fn of_type<T: CudaDType + DeviceRepr>(
        name: &str,
        dropper: &Dropper,
        x: &CudaStorage,
        layout: &Layout,
    ) -> Result<CudaStorage> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("expected a contiguous argument, got {layout:?}");
        };
        let Some(values) = x.as_cuda_slice::<T>()?.try_slice(start..end) else {
            bail!("expected elements {start} to {end}, got {layout:?} for fewer");
        };
        let device = &x.device;
        let n = values.len() as u64;
        let kernel = device.get_or_load_custom_func(name, MODULE, PTX)?;
        // SAFETY: the kernel writes all elements before anything that is queued after it can read them.
        let mut y = unsafe { device.alloc::<T>(values.len())? };
        let mut call = kernel.builder();
        call.arg(&n).arg(&dropper.base).arg(&dropper.threshold).arg(&dropper.scale).arg(&values).arg(&mut y);
        // SAFETY: the arguments have the types of the kernel's parameters, in their order; it reads n elements and writes n.
        unsafe { call.launch(grid(n)) }.w()?;
        drop(call);
        Ok(CudaStorage::wrap_cuda_slice(y, device.clone()))
    }

    /// A thread for each pair of `n` elements, as far as they go.
    fn grid(n: u64) -> LaunchConfig {
        let blocks = n.div_ceil(2).div_ceil(u64::from(BLOCK)).clamp(1, u64::from(MOST_BLOCKS));
        LaunchConfig { grid_dim: (blocks as u32, 1, 1), block_dim: (BLOCK, 1, 1), shared_mem_bytes: 0 }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{DropoutKey, dropout, dropout_plain};
    use super::*;
    use crate::Kernels;
    use candle_core::{Device, Var};

    const KEY: DropoutKey = DropoutKey { p: 0.3, seed: 1, stream: 2 };

    fn on_device(x: &Tensor) -> Tensor {
        x.contiguous().unwrap().apply_op1(OnDevice(Dropper::new(KEY).unwrap())).unwrap()
    }

    fn bits(x: &Tensor) -> Vec<u32> {
        let x = x.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
        x.to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn f32_is_bit_equal_to_the_fused_operation_and_equal_to_the_plain_one() {
        let x = Tensor::randn(0f32, 1., (7, 13), &Device::Cpu).unwrap();
        // Views that begin at an odd element, and that are strided.
        for x in [x.clone(), x.narrow(0, 1, 5).unwrap(), x.t().unwrap()] {
            assert_eq!(bits(&on_device(&x)), bits(&dropout(&x, KEY, Kernels::Fused).unwrap()));
            // A dropped negative element is -0 in the plain operation.
            let zeros = (on_device(&x) - dropout_plain(&x, KEY).unwrap()).unwrap().abs().unwrap();
            assert_eq!(zeros.max_all().unwrap().to_scalar::<f32>().unwrap(), 0.);
        }
    }

    #[test]
    fn bf16_is_the_f32_result_rounded_once() {
        let x = Tensor::randn(0f32, 1., (9, 11), &Device::Cpu).unwrap().to_dtype(DType::BF16).unwrap();
        let wide = dropout(&x.to_dtype(DType::F32).unwrap(), KEY, Kernels::Fused).unwrap();
        let y = on_device(&x);
        assert_eq!(y.dtype(), DType::BF16);
        assert_eq!(bits(&y), bits(&wide.to_dtype(DType::BF16).unwrap()));
    }

    #[test]
    fn the_gradient_is_dropped_like_the_values() {
        for dtype in [DType::F32, DType::BF16] {
            let x = Var::randn(0f32, 1., (5, 6), &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            let x = Var::from_tensor(&x).unwrap();
            let weight = Tensor::randn(0f32, 1., (5, 6), &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            let gradients = (on_device(&x) * &weight).unwrap().sum_all().unwrap().backward().unwrap();
            assert_eq!(bits(gradients.get(&x).unwrap()), bits(&on_device(&weight)));
        }
    }

    #[test]
    fn other_types_and_the_cpu_have_no_kernel() {
        assert!(!OnDevice::supports(DType::F64) && !OnDevice::supports(DType::F16));
        assert!(!OnDevice::has_kernel(&Tensor::ones(3, DType::F32, &Device::Cpu).unwrap()));
    }
}
