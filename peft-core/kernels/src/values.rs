//! Tensors and storages as `f32` slices, and vectors as tensors.

use std::ops::Deref;

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Storage, Tensor, WithDType, bail};

/// The values of a contiguous `f32` CPU tensor. The tensor's storage stays read-locked while this exists.
pub(crate) struct Values<G> {
    guard: G,
    range: (usize, usize),
}

impl<G: Deref<Target = Storage>> Deref for Values<G> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.guard {
            Storage::Cpu(CpuStorage::F32(data)) => data.get(self.range.0..self.range.1).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// The values of `tensor`. Fails unless it is contiguous, `f32` and on the CPU.
pub(crate) fn values(tensor: &Tensor) -> Result<Values<impl Deref<Target = Storage> + '_>> {
    let (guard, layout) = tensor.storage_and_layout();
    let range = match (&*guard, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(data)), Some(range)) if range.1 <= data.len() || range.0 == range.1 => range,
        _ => bail!(
            "expected a contiguous f32 CPU tensor, got {:?} {:?} on {:?}",
            tensor.dtype(),
            tensor.layout(),
            tensor.device()
        ),
    };
    Ok(Values { guard, range })
}

/// The values of an argument of a custom operation. Fails unless it is contiguous and of type `T`.
pub(crate) fn argument<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let data = storage.as_slice::<T>()?;
    let range = layout.contiguous_offsets();
    match range.map(|(start, end)| (data.get(start..end), start == end)) {
        Some((Some(values), _)) => Ok(values),
        // A view of an empty tensor may begin after its end.
        Some((None, true)) => Ok(&[]),
        _ => bail!("expected a contiguous argument, got {layout:?}"),
    }
}

/// A CPU tensor that has no gradient.
pub(crate) fn tensor(values: Vec<f32>, shape: &Shape) -> Result<Tensor> {
    Tensor::from_vec(values, shape, &Device::Cpu)
}
