//! Which device each rank computes on.

use candle_core::Device;

use crate::train::{Ranks, local_rank};
use crate::{Error, Result};

/// The device of this rank, which `open` opens by its name, and the ranks as they exchange gradients from there: with the feature `nccl` from GPU to GPU, otherwise by way of
/// the hosts. On several ranks `cuda`, or no `name` where GPUs are, is the GPU with the number that the rank has on its machine:
/// [`local_rank`]. `cuda:N` is GPU N on every machine, for one rank a machine.
///
/// # Errors
/// That of `open`; [`Error::Config`] if a rank has no GPU of its own, or some ranks have a GPU and others have none; the same
/// error on all ranks. If a rank is gone.
pub fn open_rank_device(
    name: Option<&str>,
    ranks: &Ranks,
    open: &dyn Fn(Option<&str>) -> Result<Device>,
) -> Result<(Device, Ranks)> {
    if !ranks.are_many() {
        return Ok((open(name)?, ranks.clone()));
    }
    let opened = own_device(name, open);
    // A rank that fails says so to the others, which would wait for it.
    let own = match &opened {
        Ok(device) => address(device)?,
        Err(_) => String::new(),
    };
    let all = ranks.gather(own.as_bytes())?;
    let device = opened?;
    check_devices(&all.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect::<Vec<_>>())?;
    #[cfg(feature = "nccl")]
    if let Device::Cuda(gpu) = &device {
        let ranks = Ranks::new(crate::train::Nccl::start(ranks.clone(), gpu)?);
        return Ok((device, ranks));
    }
    Ok((device, ranks.clone()))
}

fn own_device(name: Option<&str>, open: &dyn Fn(Option<&str>) -> Result<Device>) -> Result<Device> {
    match name {
        None | Some("cuda") => match gpu_number(local_rank()?, visible_gpus())? {
            Some(number) => open(Some(&format!("cuda:{number}"))),
            None => open(name),
        },
        Some(_) => open(name),
    }
}

/// The number of GPUs that this process may use; 0 in a build without CUDA, and without a driver.
fn visible_gpus() -> usize {
    #[cfg(feature = "cuda")]
    let count = candle_core::cuda_backend::cudarc::driver::CudaContext::device_count().unwrap_or(0);
    #[cfg(not(feature = "cuda"))]
    let count = 0;
    usize::try_from(count).unwrap_or(0)
}

/// The number of the GPU for the rank `local` of its machine, of the `visible` GPUs; `None` without any. A scheduler may show each process
/// its own GPU alone: that is number 0.
fn gpu_number(local: Option<usize>, visible: usize) -> Result<Option<usize>> {
    match (local, visible) {
        (_, 0) => Ok(None),
        (_, 1) => Ok(Some(0)),
        (Some(local), _) if local < visible => Ok(Some(local)),
        (Some(local), _) => Err(Error::Config(format!(
            "the rank with number {local} on this machine has no GPU: {visible} are visible; start at most {visible} ranks here"
        ))),
        (None, _) => Err(Error::Config(format!(
            "{visible} GPUs are visible, and no variable says which is this rank's; set LOCAL_RANK to the number of the process on its \
             machine, from 0, or give --device cuda:N"
        ))),
    }
}

/// A name of `device` that no other device has, of any machine. Processors have one in common, as have the GPUs of other makers.
fn address(device: &Device) -> Result<String> {
    match device {
        Device::Cpu => Ok("the processor".into()),
        Device::Metal(_) => Ok("Metal".into()),
        #[cfg(feature = "cuda")]
        Device::Cuda(gpu) => {
            use candle_core::cuda_backend::WrapErr;
            let uuid = gpu.cuda_stream().context().uuid().w()?;
            let hexadecimal: String = uuid.bytes.iter().map(|byte| format!("{:02x}", byte.cast_unsigned())).collect();
            Ok(format!("{GPU}{hexadecimal}"))
        }
        #[cfg(not(feature = "cuda"))]
        Device::Cuda(_) => Ok(GPU.into()),
    }
}

/// What the names of GPUs begin with.
const GPU: &str = "GPU ";

/// Refuses ranks that share a GPU, and GPUs next to processors: they round differently. An empty name is that of a rank whose device could
/// not be opened.
fn check_devices(all: &[String]) -> Result<()> {
    let count = all.len();
    let Some(first) = all.first() else { return Ok(()) };
    for (rank, own) in all.iter().enumerate() {
        if own.is_empty() {
            return Err(Error::Config(format!("rank {rank} of {count} has no device; its own message says why")));
        }
        if own.starts_with(GPU) != first.starts_with(GPU) || (own != first && !own.starts_with(GPU)) {
            return Err(Error::Config(format!(
                "rank {rank} of {count} computes on {own}, and rank 0 on {first}; all must compute on devices of one kind: see --device"
            )));
        }
        let other = all.iter().take(rank).position(|other| other == own && own.starts_with(GPU));
        if let Some(other) = other {
            return Err(Error::Config(format!(
                "ranks {other} and {rank} of {count} have the same GPU ({own}); each needs one of its own: start as many ranks on a machine as \
                 it has GPUs, without --device cuda:N"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::model::Precision;
    use crate::session::open_device;
    use crate::train::Collective;
    use crate::train::threads::on_threads;

    fn open(name: Option<&str>) -> Result<Device> {
        open_device(name, Precision::default())
    }

    #[test]
    fn each_rank_of_a_machine_has_the_gpu_of_its_number() {
        let number = |local, visible| gpu_number(local, visible).map_err(|error| error.to_string());
        assert_eq!(number(Some(3), 8), Ok(Some(3)));
        assert_eq!(number(Some(3), 1), Ok(Some(0)), "a scheduler shows each process its own");
        assert_eq!(number(None, 1), Ok(Some(0)));
        assert_eq!(number(Some(1), 0), Ok(None));
        assert!(number(Some(4), 4).unwrap_err().contains("number 4 on this machine has no GPU: 4 are visible"));
        assert!(number(None, 2).unwrap_err().contains("set LOCAL_RANK"));
    }

    #[test]
    fn ranks_that_cannot_train_together_are_named() {
        let check = |all: &[&str]| {
            let all: Vec<String> = all.iter().map(|name| (*name).to_owned()).collect();
            check_devices(&all).map_err(|error| error.to_string())
        };
        assert_eq!(check(&["the processor"; 3]), Ok(()));
        assert_eq!(check(&["GPU 1a", "GPU 2b", "GPU 3c"]), Ok(()));
        assert!(
            check(&["GPU 1a", "GPU 2b", "GPU 1a"])
                .unwrap_err()
                .starts_with("ranks 0 and 2 of 3 have the same GPU (GPU 1a)")
        );
        assert!(
            check(&["GPU 1a", "the processor"])
                .unwrap_err()
                .starts_with("rank 1 of 2 computes on the processor, and rank 0 on GPU 1a")
        );
        assert!(check(&["the processor", "Metal"]).unwrap_err().starts_with("rank 1 of 2 computes on Metal"));
        assert!(check(&["GPU 1a", ""]).unwrap_err().starts_with("rank 1 of 2 has no device"));
    }

    #[test]
    fn a_rank_without_its_device_ends_all() {
        let found = on_threads(2, |rank| {
            let name = if rank.rank() == 1 { "cuda:x" } else { "cpu" };
            open_rank_device(Some(name), &Ranks::new(rank.clone()), &open).map(drop).unwrap_err().to_string()
        });
        assert!(found[0].starts_with("rank 1 of 2 has no device"), "{found:?}");
        assert!(found[1].contains("--device cuda:x"), "{found:?}");
    }

    #[test]
    fn ranks_on_processors_exchange_as_before() {
        let found = on_threads(2, |rank| {
            let (device, ranks) = open_rank_device(Some("cpu"), &Ranks::new(rank.clone()), &open).unwrap();
            (device.is_cpu(), ranks.size().get())
        });
        assert_eq!(found, [(true, 2); 2]);
    }
}
