//! Many processes, on one machine or several, by MPI.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Root};

use super::{Collective, add_up, length_of};
use crate::{Error, Result};

/// The most numbers of one message: MPI counts in 32 bits.
const AT_ONCE: usize = 1 << 24;

/// The variables by which `mpirun`, or a scheduler that speaks its protocol, says that there are other processes.
const STARTED_BY: [&str; 4] = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"];

/// MPI, from its start in this process to its end. It must be dropped on the thread that made it, before the process ends.
pub struct MpiProcess {
    _universe: Universe,
}

impl MpiProcess {
    /// Starts MPI in this process if it is one of several: it was started by `mpirun` or by `srun --mpi`.
    ///
    /// # Errors
    /// [`Error::Config`] if MPI cannot be started.
    pub fn start() -> Result<Option<(Self, Mpi)>> {
        if STARTED_BY.iter().all(|name| std::env::var_os(name).is_none()) {
            return Ok(None);
        }
        let failed = |reason: &str| Error::Config(format!("MPI cannot be started: {reason}"));
        let started = mpi::initialize_with_threading(Threading::Serialized);
        let (universe, threading) = started.ok_or_else(|| failed("it runs already in this process"))?;
        if threading < Threading::Serialized {
            return Err(failed("this library allows no threads besides its own"));
        }
        let world = SimpleCommunicator::world();
        let size = usize::try_from(world.size()).ok().and_then(NonZeroUsize::new);
        let size = size.ok_or_else(|| failed("it has no processes"))?;
        let mpi = Mpi { rank: world.rank() as usize, size, turn: Mutex::new(()) };
        Ok(Some((Self { _universe: universe }, mpi)))
    }
}

impl std::fmt::Debug for MpiProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MpiProcess")
    }
}

/// All processes of the world of MPI. An error of MPI ends all of them, which is MPI's default.
#[derive(Debug)]
pub struct Mpi {
    rank: usize,
    size: NonZeroUsize,
    /// MPI is called by one thread at a time.
    turn: Mutex<()>,
}

impl Mpi {
    fn world(&self) -> (SimpleCommunicator, MutexGuard<'_, ()>) {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        (SimpleCommunicator::world(), turn)
    }

    /// [`Collective::sum`] of at most [`AT_ONCE`] numbers of each part.
    ///
    /// Each rank adds up one stretch of the numbers, in the order of ranks and parts, and all get the sums. That is as much traffic as
    /// the best reductions of MPI have, whose order of addition is the library's own.
    fn sum_some(&self, world: &SimpleCommunicator, parts: &[&[f32]]) -> Vec<f32> {
        let size = self.size.get();
        let length = parts.first().map_or(0, |part| part.len());
        let stretch = length.div_ceil(size).max(1);
        let given: Vec<Vec<f32>> = parts.iter().map(|part| exchanged(world, part, stretch * size)).collect();
        let of_rank = |rank: usize| given.iter().filter_map(move |part| part.chunks_exact(stretch).nth(rank));
        let mut all = (0..size).flat_map(of_rank);
        let mut sums = all.next().unwrap_or_default().to_vec();
        add_up(&mut sums, all);
        let mut found = vec![0f32; stretch * size];
        world.all_gather_into(sums.as_slice(), found.as_mut_slice());
        found.truncate(length);
        found
    }
}

/// The stretches of all ranks that this rank adds up; `part`, with zeros up to `length`, gives the others theirs.
fn exchanged(world: &SimpleCommunicator, part: &[f32], length: usize) -> Vec<f32> {
    let mut own = part.to_vec();
    own.resize(length, 0.);
    let mut given = vec![0f32; length];
    world.all_to_all_into(own.as_slice(), given.as_mut_slice());
    given
}

impl Collective for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> NonZeroUsize {
        self.size
    }

    fn sum(&self, parts: Vec<Vec<f32>>) -> Result<Vec<f32>> {
        let length = length_of(&parts)?;
        let (world, _turn) = self.world();
        let mut sums = Vec::with_capacity(length);
        while sums.len() < length {
            let end = length.min(sums.len() + AT_ONCE);
            let some: Vec<&[f32]> = parts.iter().filter_map(|part| part.get(sums.len()..end)).collect();
            let summed = self.sum_some(&world, &some);
            sums.extend(summed);
        }
        Ok(sums)
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let (world, _turn) = self.world();
        let too_much = || Error::Internal("more bytes than MPI counts".into());
        let length = i32::try_from(own.len()).map_err(|_| too_much())?;
        let mut lengths = vec![0i32; self.size.get()];
        world.all_gather_into(&length, lengths.as_mut_slice());
        let mut starts = Vec::with_capacity(lengths.len());
        let mut end = 0i32;
        for length in &lengths {
            starts.push(end);
            end = end.checked_add(*length).ok_or_else(too_much)?;
        }
        let mut all = vec![0u8; end as usize];
        {
            let mut partition = PartitionMut::new(all.as_mut_slice(), lengths.as_slice(), starts.as_slice());
            world.all_gather_varcount_into(own, &mut partition);
        }
        let mut rest = all.as_slice();
        let each = lengths.iter().map(|length| {
            let (own, others) = rest.split_at_checked(*length as usize).unwrap_or((rest, &[]));
            rest = others;
            own.to_vec()
        });
        Ok(each.collect())
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let (world, _turn) = self.world();
        let first = world.process_at_rank(0);
        let mut length = bytes.len() as u64;
        first.broadcast_into(&mut length);
        bytes.resize(length as usize, 0);
        bytes.chunks_mut(AT_ONCE).for_each(|some| first.broadcast_into(some));
        Ok(())
    }

    fn barrier(&self) -> Result<()> {
        let (world, _turn) = self.world();
        world.barrier();
        Ok(())
    }

    fn stop_all(&self, code: u8) {
        // Another thread may wait in MPI for ever.
        SimpleCommunicator::world().abort(code.into())
    }
}
