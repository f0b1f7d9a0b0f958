//! CUDA devices that all threads share.

use candle_core::{Device, Result};

/// The CUDA device with this number, with one stream for all threads. So a thread may read what another has computed, which candle's
/// `Device::new_cuda` does not promise: its stream is another one in each thread.
///
/// Tensors keep no events that order work on several streams, because there is one: each operation would create, record and wait for
/// them. Do not use the tensors on a stream of your own.
///
/// # Errors
/// If there is no such device, or the feature `cuda` is off.
pub fn cuda_device(number: usize) -> Result<Device> {
    let device = Device::new_cuda_with_stream(number)?;
    #[cfg(feature = "cuda")]
    without_events(&device)?;
    Ok(device)
}

#[cfg(feature = "cuda")]
#[allow(unsafe_code, reason = "candle cannot know that there is one stream")]
fn without_events(device: &Device) -> Result<()> {
    // SAFETY: the device was made just now with a stream and a context of its own, no tensor exists on it, and candle makes no other stream
    // from it: all work on its tensors, their release too, is in the order in which it was queued.
    unsafe { device.as_cuda_device()?.disable_event_tracking() };
    Ok(())
}
