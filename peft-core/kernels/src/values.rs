//! Contiguous `f32` views of tensors and storages, and tensors made of vectors.

use std::ops::Deref;

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Storage, Tensor, bail};

/// The values of a contiguous `f32` CPU tensor; the tensor's storage stays read-locked meanwhile.
pub(super) struct Values<G> {
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

/// The values of `tensor`; fails unless it is contiguous, `f32` and on the CPU.
pub(super) fn values(tensor: &Tensor) -> Result<Values<impl Deref<Target = Storage> + '_>> {
    let (guard, layout) = tensor.storage_and_layout();
    let range = match (&*guard, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(data)), Some(range)) if range.1 <= data.len() => range,
        _ => bail!(
            "expected a contiguous f32 CPU tensor, got {:?} {:?} on {:?}",
            tensor.dtype(),
            tensor.layout(),
            tensor.device()
        ),
    };
    Ok(Values { guard, range })
}

/// The values of one argument of a custom operation.
pub(super) fn argument<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let data = storage.as_slice::<f32>()?;
    let range = layout.contiguous_offsets();
    match range.and_then(|(start, end)| data.get(start..end)) {
        Some(values) => Ok(values),
        None => bail!("expected a contiguous argument, got {layout:?}"),
    }
}

/// A custom operation's result.
pub(super) fn output(values: Vec<f32>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (CpuStorage::F32(values), shape.into())
}

/// A CPU tensor outside any graph.
pub(super) fn tensor(values: Vec<f32>, shape: &Shape) -> Result<Tensor> {
    Tensor::from_vec(values, shape, &Device::Cpu)
}
