//! CUDA devices that all threads share.

use candle_core::{Device, Result};

/// The CUDA device with this number, with one stream for all threads. So a thread may read what another has computed, which candle's
/// `Device::new_cuda` does not promise: its stream is another one in each thread.
///
/// - Tensors keep no events that order work on several streams, because there is one: each operation would create, record and wait for
///   them. Do not use the tensors on a stream of your own.
/// - Memory that tensors give back stays with the process, for the next ones. The driver's default is to take it whenever the host
///   waits, which training does in every step.
///
/// # Errors
/// If there is no such device, or the feature `cuda` is off.
pub fn cuda_device(number: usize) -> Result<Device> {
    let device = Device::new_cuda_with_stream(number)?;
    #[cfg(feature = "cuda")]
    settings::apply(device.as_cuda_device()?)?;
    Ok(device)
}

#[cfg(feature = "cuda")]
#[allow(unsafe_code, reason = "calls of the driver, and what candle cannot know")]
mod settings {
    use std::ptr;

    use candle_core::cuda_backend::cudarc::driver::{CudaContext, sys};
    use candle_core::cuda_backend::{CudaDevice, WrapErr};
    use candle_core::{Result, bail};

    /// The settings of a device that was made just now.
    pub(super) fn apply(device: &CudaDevice) -> Result<()> {
        // SAFETY: the device has a context and a stream of its own, no tensor exists on it, and candle makes no other stream from it: all
        // work on its tensors, their release too, is in the order in which it was queued.
        unsafe { device.disable_event_tracking() };
        let stream = device.cuda_stream();
        if stream.context().has_async_alloc() {
            keep_memory(stream.context())?;
        }
        Ok(())
    }

    /// Lets the pool that memory comes from keep all of it.
    fn keep_memory(context: &CudaContext) -> Result<()> {
        let mut pool = ptr::null_mut();
        let mut most = u64::MAX;
        let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        // SAFETY: the device exists, and the driver writes a handle to `pool`.
        unsafe { sys::cuDeviceGetDefaultMemPool(&mut pool, context.cu_device()) }.result().w()?;
        if pool.is_null() {
            bail!("the CUDA driver gave no pool of memory for device {}", context.ordinal());
        }
        // SAFETY: the pool is that of the device, and the value of this attribute has 64 bits.
        unsafe { sys::cuMemPoolSetAttribute(pool, threshold, ptr::from_mut(&mut most).cast()) }.result().w()
    }
}
