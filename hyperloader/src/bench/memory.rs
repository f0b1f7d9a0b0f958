//! The memory of this process, and of its device.

use candle_core::Device;

/// The most bytes of memory that this process has held at once, from Linux's `/proc`; `None` on other systems.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The bytes of an NVIDIA GPU that are in use now, by this process and all others; `None` for other devices.
pub(super) fn device_memory(device: &Device) -> Option<u64> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(gpu) => {
            let (free, total) = gpu.cuda_stream().context().mem_get_info().ok()?;
            u64::try_from(total - free).ok()
        }
        _ => None,
    }
}

/// What people call `device`: `cpu`, `metal`, or the name of an NVIDIA GPU.
pub(super) fn device_name(device: &Device) -> String {
    match device {
        Device::Cpu => "cpu".into(),
        Device::Metal(_) => "metal".into(),
        #[cfg(feature = "cuda")]
        Device::Cuda(gpu) => gpu.cuda_stream().context().name().unwrap_or_else(|_| "cuda".into()),
        #[cfg(not(feature = "cuda"))]
        Device::Cuda(_) => "cuda".into(),
    }
}
