//! Many processes, on one machine or several, over TCP. Everything goes through rank 0.
//!
//! It lets ranks find each other, and carries what is small: hashes, counts, losses, the files of a checkpoint, and the number by
//! which GPUs find each other. It also adds gradients, for which MPI and NCCL are faster: with N ranks and gradients of B bytes, rank 0 sends and
//! receives B · (N − 1) bytes for each micro-batch of a rank.

mod frames;
mod meeting;
#[cfg(test)]
mod tests;
mod watch;

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::meeting::Link;
use self::watch::{Pace, Watch};
use super::{Collective, Launch, add_up, length_of};
use crate::{Error, Result};

/// The time in which the reason is known why a connection has closed.
const REASON: Duration = Duration::from_secs(1);

/// Processes that a launcher told where rank 0 is.
#[derive(Debug)]
pub struct Tcp {
    rank: usize,
    size: NonZeroUsize,
    /// Of rank 0 to each other rank, of another one to rank 0.
    links: Vec<Link>,
    watch: Watch,
    /// The connections are used by one thread at a time.
    turn: Mutex<()>,
}

impl Tcp {
    /// The time that the first rank waits for the last one.
    pub const PATIENCE: Duration = Duration::from_secs(300);

    /// Meets the other ranks, and waits for them at most so long.
    ///
    /// # Errors
    /// [`Error::Config`] if ranks do not fit together, or rank 0 cannot listen at its port; [`Error::Training`] naming the ranks that have not
    /// come.
    pub fn join(launch: &Launch, patience: Duration) -> Result<Self> {
        Self::join_at(launch, patience, Pace::default())
    }

    fn join_at(launch: &Launch, patience: Duration, pace: Pace) -> Result<Self> {
        let links = meeting::meet(launch, patience)?;
        let watch = Watch::start(&links, launch.size.get(), pace)?;
        Ok(Self { rank: launch.rank, size: launch.size, links, watch, turn: Mutex::new(()) })
    }

    fn turn(&self) -> Result<MutexGuard<'_, ()>> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.check().map(|()| turn)
    }

    fn send(&self, link: &Link, bytes: &[u8]) -> Result<()> {
        frames::send(&link.work, bytes).map_err(|e| self.failed(link, &e))
    }

    fn receive(&self, link: &Link) -> Result<Vec<u8>> {
        frames::receive(&link.work).map_err(|e| self.failed(link, &e))
    }

    /// Why a connection has failed, as soon as it is known.
    fn failed(&self, link: &Link, e: &io::Error) -> Error {
        let start = Instant::now();
        while start.elapsed() < REASON {
            if let Err(error) = self.check() {
                return error;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let (rank, size, reason) = (link.rank, self.size, peft_files::plain(e));
        Error::Training(format!("rank {rank} of {size} takes part no more ({reason})"))
    }

    /// Rank 0's `bytes`.
    fn spread(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        match self.links.first().filter(|_| self.rank != 0) {
            Some(first) => self.receive(first),
            None => {
                self.links.iter().try_for_each(|link| self.send(link, &bytes))?;
                Ok(bytes)
            }
        }
    }

    /// What each rank gives, at rank 0; nothing at the others.
    fn collect(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        if let Some(first) = self.links.first().filter(|_| self.rank != 0) {
            self.send(first, own)?;
            return Ok(Vec::new());
        }
        let others = self.links.iter().map(|link| self.receive(link));
        std::iter::once(Ok(own.to_vec())).chain(others).collect()
    }
}

impl Collective for Tcp {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> NonZeroUsize {
        self.size
    }

    fn sum(&self, parts: Vec<Vec<f32>>) -> Result<Vec<f32>> {
        let length = length_of(&parts)?;
        let _turn = self.turn()?;
        let own: Vec<u8> = parts.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        let mut given = self.collect(&own)?.into_iter();
        if given.as_slice().iter().any(|bytes| bytes.len() != own.len()) {
            return Err(Error::Internal("ranks add up parts of several lengths".into()));
        }
        let mut all = given
            .by_ref()
            .flat_map(|bytes| values(&bytes).chunks(length.max(1)).map(<[f32]>::to_vec).collect::<Vec<_>>());
        let mut sums = all.next().unwrap_or_default();
        all.for_each(|part| add_up(&mut sums, [part.as_slice()]));
        let sums = self.spread(sums.iter().flat_map(|value| value.to_le_bytes()).collect())?;
        Ok(values(&sums))
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let _turn = self.turn()?;
        let wrong = |e: io::Error| Error::Internal(format!("ranks cannot read what they gave each other: {e}"));
        let all = self.collect(own)?;
        let all = self.spread(frames::join(&all).map_err(wrong)?)?;
        frames::split(&all, self.size.get()).map_err(wrong)
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let _turn = self.turn()?;
        *bytes = self.spread(std::mem::take(bytes))?;
        Ok(())
    }

    fn barrier(&self) -> Result<()> {
        self.gather(&[]).map(drop)
    }

    fn check(&self) -> Result<()> {
        self.watch.lost().map_or(Ok(()), |reason| Err(Error::Training(reason)))
    }

    fn stop_all(&self, code: u8) {
        self.watch.end_others(code);
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        // A rank that panics has not done its work.
        if !std::thread::panicking() {
            self.watch.leave();
        }
    }
}

/// Numbers out of their bytes.
fn values(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
