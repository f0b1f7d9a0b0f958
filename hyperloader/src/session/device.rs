//! Devices by name.

use candle_core::Device;

use crate::{Error, Result};

/// The device called `name`: `cpu`, `cuda`, `cuda:N` or `metal`. Without a name: CUDA if it was compiled in and a GPU exists,
/// otherwise the CPU.
///
/// # Errors
/// [`Error::Config`] if the name is unknown, or if the device does not exist or was not compiled in.
pub fn open_device(name: Option<&str>) -> Result<Device> {
    let Some(name) = name else {
        return Ok(if cfg!(feature = "cuda") { Device::cuda_if_available(0)? } else { Device::Cpu });
    };
    let (kind, number) = match name.split_once(':') {
        Some((kind, number)) => {
            let parsed =
                number.parse().map_err(|_| Error::Config(format!("--device {name}: {number:?} is not a number")))?;
            (kind, parsed)
        }
        None => (name, 0),
    };
    let found =
        |device: candle_core::Result<Device>| device.map_err(|e| Error::Config(format!("--device {name}: {e}")));
    match kind {
        "cpu" => Ok(Device::Cpu),
        "cuda" => found(Device::new_cuda(number)),
        "metal" => found(Device::new_metal(number)),
        _ => Err(Error::Config(format!("--device {name}: expected cpu, cuda, cuda:N or metal"))),
    }
}
