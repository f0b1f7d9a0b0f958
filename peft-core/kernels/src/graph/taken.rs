//! The storage of a tensor, taken out of it.

use std::sync::{Mutex, PoisonError};

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::{CpuStorage, CudaStorage, InplaceOp1, Layout, MetalStorage, Result, Shape, Storage, Tensor, bail};

/// The storage of a result, until candle asks for it.
pub(super) struct Taken {
    storage: Slot,
    shape: Shape,
}

/// A storage that moves through operations of candle, which have it by reference.
#[derive(Default)]
struct Slot(Mutex<Option<Storage>>);

impl Slot {
    fn put(&self, storage: Storage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(storage);
    }

    fn take(&self) -> Option<Storage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Taken {
    /// The storage of `y`, which must be nobody else's. It is copied if it belongs to an argument too, or if `y` is a view.
    pub(super) fn out_of(y: Tensor, arguments: &[&Tensor]) -> Result<Self> {
        let shape = y.shape().clone();
        let shared = arguments.iter().any(|argument| place(argument) == place(&y));
        let whole = matches!(y.layout().contiguous_offsets(), Some((0, _)));
        let y = if shared || !whole { y.force_contiguous()? } else { y };
        let storage = Slot::default();
        y.inplace_op1(&Take(&storage))?;
        Ok(Self { storage, shape })
    }

    pub(super) fn cpu(&self) -> Result<(CpuStorage, Shape)> {
        match self.storage.take() {
            Some(Storage::Cpu(storage)) => Ok((storage, self.shape.clone())),
            other => bail!("the result is not on the CPU, where its arguments are: {:?}", other.map(|s| s.device())),
        }
    }

    pub(super) fn cuda(&self) -> Result<(CudaStorage, Shape)> {
        match self.storage.take() {
            Some(Storage::Cuda(storage)) => Ok((storage, self.shape.clone())),
            other => bail!("the result is not on CUDA, where its arguments are: {:?}", other.map(|s| s.device())),
        }
    }

    pub(super) fn metal(&self) -> Result<(MetalStorage, Shape)> {
        match self.storage.take() {
            Some(Storage::Metal(storage)) => Ok((storage, self.shape.clone())),
            other => bail!("the result is not on Metal, where its arguments are: {:?}", other.map(|s| s.device())),
        }
    }
}

/// Where the storage of a tensor is: tensors that share it give the same address.
fn place(tensor: &Tensor) -> usize {
    std::ptr::from_ref(&*tensor.storage_and_layout().0).addr()
}

/// Moves the storage of a tensor into a slot, and leaves one of a single element.
struct Take<'a>(&'a Slot);

macro_rules! take {
    ($self:ident, $storage:ident, $variant:ident) => {{
        let least = $storage.device().zeros_impl(&Shape::from(1), $storage.dtype())?;
        $self.0.put(Storage::$variant(std::mem::replace($storage, least)));
        Ok(())
    }};
}

impl InplaceOp1 for Take<'_> {
    fn name(&self) -> &'static str {
        "take"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> Result<()> {
        take!(self, storage, Cpu)
    }

    fn cuda_fwd(&self, storage: &mut CudaStorage, _: &Layout) -> Result<()> {
        take!(self, storage, Cuda)
    }

    fn metal_fwd(&self, storage: &mut MetalStorage, _: &Layout) -> Result<()> {
        take!(self, storage, Metal)
    }
}
