//! Gradients from GPU to GPU, by NVIDIA's NCCL.
//!
//! NCCL adds gradients, which are on the GPUs already. Everything else is on the hosts (hashes, counts, losses, files), is small, and
//! must also work before a GPU is known; so it goes over the ranks' other collective, which also brings NCCL's id to all of them, and knows
//! when a rank is gone.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::CudaView;
use candle_core::cuda_backend::cudarc::nccl::result::NcclError;
use candle_core::cuda_backend::cudarc::nccl::safe::{Comm, Id, group_end, group_start};
use candle_core::{CpuStorage, CudaDevice, CudaStorage, CustomOp1, Layout, Shape, Tensor, bail};

use super::in_order::{Exchange, sum_in_order};
use super::worker::{Wait, Worker};
use super::{Collective, Ranks};
use crate::{Error, Result};

/// The time that ranks wait for each other: for the first exchange, in which connections are made, and for any other. A rank that is gone
/// ends the wait at once. This is for networks between GPUs that stop without a word.
const LIMIT: Duration = Duration::from_secs(600);

/// Between two looks at whether an exchange has ended.
const LOOK: Duration = Duration::from_micros(50);

/// Ranks that have one GPU each.
#[derive(Debug)]
pub struct Nccl {
    /// Everything but the gradients.
    others: Ranks,
    worker: Worker<Gpus>,
}

impl Nccl {
    /// The same ranks, which add gradients on their GPUs. `device` is this rank's, and no other rank's.
    ///
    /// # Errors
    /// [`Error::Training`] if NCCL cannot be started, or a rank is gone.
    pub fn start(others: Ranks, device: &CudaDevice) -> Result<Self> {
        let id = share_id(&others)?;
        let (rank, size) = (others.rank(), others.size().get());
        let own = device.clone();
        let make = move || {
            let stream = own.cuda_stream();
            // NCCL takes the GPU that is current on this thread.
            stream.context().bind_to_thread().w()?;
            let comm = Comm::from_rank(stream, rank, size, id).map_err(|e| failed("ranks cannot be joined", &e))?;
            Ok(Gpus { comm, size })
        };
        let worker = Worker::start(&wait(&others, "the GPUs of all ranks"), make)?;
        Ok(Self { others, worker })
    }
}

/// The id by which NCCL's ranks find each other: rank 0 makes it.
fn share_id(others: &Ranks) -> Result<Id> {
    let made = if others.is_first() { Some(Id::new()) } else { None };
    let mut bytes: Vec<u8> = match &made {
        Some(Ok(id)) => id.internal().iter().map(|byte| byte.cast_unsigned()).collect(),
        _ => Vec::new(),
    };
    others.broadcast(&mut bytes)?;
    if let Some(Err(e)) = made {
        return Err(failed("it cannot be started", &e));
    }
    let id: Vec<_> = bytes.into_iter().map(u8::cast_signed).collect();
    let id = id.try_into().map_err(|_| Error::Training("NCCL cannot be started at rank 0".into()))?;
    Ok(Id::uninit(id))
}

fn failed(what: &str, error: &NcclError) -> Error {
    let NcclError(code) = error;
    Error::Training(format!("NCCL: {what}: {code:?}; the variable NCCL_DEBUG=INFO makes it tell more"))
}

fn wait<'a>(others: &'a Ranks, awaited: &str) -> Wait<'a> {
    Wait { limit: LIMIT, check: Box::new(|| others.check()), awaited: awaited.into() }
}

/// What the thread of the exchange owns.
struct Gpus {
    comm: Comm,
    size: usize,
}

impl Gpus {
    /// Waits until the GPU has done all of its work, which it cannot if another rank is gone.
    fn await_all(&self, given_up: &AtomicBool) -> Result<()> {
        let done = self.comm.stream().record_event(None).w()?;
        while !done.try_is_complete().w()? {
            if given_up.load(Ordering::Relaxed) {
                return Err(Error::Training("the exchange between GPUs was given up".into()));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Exchange for Gpus {
    fn size(&self) -> usize {
        self.size
    }

    fn all_to_all(&self, own: &Tensor) -> candle_core::Result<Tensor> {
        own.apply_op1_no_bwd(&AllToAll(self))
    }

    fn all_gather(&self, own: &Tensor) -> candle_core::Result<Tensor> {
        own.apply_op1_no_bwd(&AllGather(self))
    }
}

/// The numbers of a contiguous tensor.
fn numbers<'a>(storage: &'a CudaStorage, layout: &Layout) -> candle_core::Result<CudaView<'a, f32>> {
    let range = layout.contiguous_offsets().map(|(start, end)| start..end);
    let slice = storage.as_cuda_slice::<f32>()?;
    match range.and_then(|range| slice.try_slice(range)) {
        Some(numbers) => Ok(numbers),
        None => bail!("ranks exchange contiguous tensors"),
    }
}

fn checked<T>(result: std::result::Result<T, NcclError>) -> candle_core::Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => bail!("{}", failed("an exchange has failed", &error)),
    }
}

/// [`Exchange::all_to_all`]: one message to each rank and one from each.
struct AllToAll<'a>(&'a Gpus);

impl CustomOp1 for AllToAll<'_> {
    fn name(&self) -> &'static str {
        "all-to-all"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        bail!("NCCL exchanges what is on GPUs")
    }

    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> candle_core::Result<(CudaStorage, Shape)> {
        let Gpus { comm, size } = self.0;
        let own = numbers(storage, layout)?;
        let row = own.len() / size;
        let mut given = storage.device.alloc_zeros::<f32>(row * size)?;
        // NCCL does all messages of a group at once; one after the other, ranks would wait for each other for ever.
        checked(group_start())?;
        let messages = (0..*size).try_for_each(|rank| {
            let (range, peer) = (rank * row..(rank + 1) * row, rank as i32);
            let (Some(own), Some(mut given)) = (own.try_slice(range.clone()), given.try_slice_mut(range)) else {
                bail!("a message outside of its tensor");
            };
            checked(comm.send(&own, peer))?;
            checked(comm.recv(&mut given, peer))
        });
        let ended = checked(group_end());
        messages.and(ended)?;
        Ok((CudaStorage::wrap_cuda_slice(given, storage.device.clone()), Shape::from((*size, row))))
    }
}

/// [`Exchange::all_gather`].
struct AllGather<'a>(&'a Gpus);

impl CustomOp1 for AllGather<'_> {
    fn name(&self) -> &'static str {
        "all-gather"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        bail!("NCCL exchanges what is on GPUs")
    }

    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> candle_core::Result<(CudaStorage, Shape)> {
        let Gpus { comm, size } = self.0;
        let own = numbers(storage, layout)?;
        let mut all = storage.device.alloc_zeros::<f32>(own.len() * size)?;
        checked(comm.all_gather(&own, &mut all))?;
        let shape = Shape::from((*size, own.len()));
        Ok((CudaStorage::wrap_cuda_slice(all, storage.device.clone()), shape))
    }
}

impl Collective for Nccl {
    fn rank(&self) -> usize {
        self.others.rank()
    }

    fn size(&self) -> NonZeroUsize {
        self.others.size()
    }

    fn sum(&self, parts: Vec<Vec<f32>>) -> Result<Vec<f32>> {
        self.others.sum(parts)
    }

    /// The host waits for its GPU before and after the exchange, which another thread does: so the order of work on the GPU does not
    /// depend on which stream each thread has. Clipping waits for the GPU right after that in any case.
    fn sum_tensors(&self, parts: Vec<Tensor>) -> Result<Tensor> {
        let Some(device) = parts.first().map(Tensor::device).filter(|device| device.is_cuda()) else {
            return self.others.sum_tensors(parts);
        };
        device.synchronize()?;
        let work = move |gpus: &Gpus, given_up: &AtomicBool| {
            let sums = sum_in_order(gpus, &parts)?;
            gpus.await_all(given_up)?;
            Ok(sums)
        };
        self.worker.run(&wait(&self.others, "the gradients of all ranks"), work)
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.others.gather(own)
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()> {
        self.others.broadcast(bytes)
    }

    fn barrier(&self) -> Result<()> {
        self.others.barrier()
    }

    fn check(&self) -> Result<()> {
        self.others.check()
    }

    fn stop_all(&self, code: u8) {
        self.others.stop_all(code);
    }
}
