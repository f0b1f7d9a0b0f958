//! Random weights for a backbone that trains nothing of them.

use candle_core::{DType, Device, Shape, Tensor, bail};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use super::initial::initial;
use super::store::check_elements;
use crate::rng::{Stream, stream_of};

/// A builder of frozen parameters with their own initial values. Each value depends on `seed` and on the parameter's name alone.
///
/// ```
/// use candle_core::{DType, Device};
///
/// let vb = peft_core::random_weights(7, DType::F32, &Device::Cpu);
/// let weight = vb.pp("up").get_with_hints((2, 3), "weight", peft_core::normal(1.))?;
/// assert!(!weight.is_variable());
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn random_weights(seed: u64, dtype: DType, device: &Device) -> VarBuilder<'static> {
    VarBuilder::from_backend(Box::new(Random { seed }), dtype, device.clone())
}

struct Random {
    seed: u64,
}

impl SimpleBackend for Random {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        check_elements(name, shape.dims()).map_err(candle_core::Error::wrap)?;
        let stream = Stream::new(self.seed, stream_of(name));
        initial(stream, &shape, init, device).map_err(candle_core::Error::wrap)?.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        bail!("{name}: random weights need a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}
