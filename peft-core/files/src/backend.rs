//! Mapped tensors as the source of a candle `VarBuilder`.

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use crate::{Error, MappedTensors};

impl MappedTensors {
    /// The builder for a model whose parameters have the names of these files. They take the type `dtype`, and are plain tensors
    /// that do not train.
    pub fn var_builder(self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self), dtype, device.clone())
    }
}

impl SimpleBackend for MappedTensors {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        let found = self.get_unchecked(name, dtype, device)?;
        if found.shape() == &shape {
            return Ok(found);
        }
        let reason = format!("{name}: expected shape {:?}, found {:?}", shape.dims(), found.dims());
        Err(candle_core::Error::wrap(Error::malformed(self.place(), reason)))
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        self.load(name).map_err(candle_core::Error::wrap)?.to_dtype(dtype)?.to_device(device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.has(name)
    }
}
