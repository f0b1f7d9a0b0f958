//! `--device`.

use candle_core::Device;

use crate::{Error, Result};

/// The device called `name`: `cpu`, `cuda`, `cuda:N` or `metal`. Without a name, the best that was compiled in and is there.
///
/// # Errors
/// [`Error::Config`] if the name is unknown, or the device is not there or not compiled in.
pub fn open_device(name: Option<&str>) -> Result<Device> {
    let Some(name) = name else {
        return Ok(if cfg!(feature = "cuda") { Device::cuda_if_available(0)? } else { Device::Cpu });
    };
    let (kind, number) = match name.split_once(':') {
        Some((kind, number)) => {
            let parsed =
                number.parse().map_err(|_| Error::Config(format!("--device {name}: {number:?} is no number")))?;
            (kind, parsed)
        }
        None => (name, 0),
    };
    let there =
        |device: candle_core::Result<Device>| device.map_err(|e| Error::Config(format!("--device {name}: {e}")));
    match kind {
        "cpu" => Ok(Device::Cpu),
        "cuda" => there(Device::new_cuda(number)),
        "metal" => there(Device::new_metal(number)),
        _ => Err(Error::Config(format!("--device {name}: expected cpu, cuda, cuda:N or metal"))),
    }
}
