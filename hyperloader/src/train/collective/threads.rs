//! Ranks that are threads, for tests.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::num::NonZeroUsize;
use std::sync::{Arc, Barrier, Mutex};

use super::Collective;
use crate::Result;

/// One of several threads.
#[derive(Debug)]
pub(crate) struct Thread {
    rank: usize,
    all: Arc<All>,
}

#[derive(Debug)]
struct All {
    barrier: Barrier,
    given: Mutex<Vec<Vec<u8>>>,
}

/// Runs `work` as `size` ranks; what each returned, in their order.
pub(crate) fn on_threads<T: Send>(size: usize, work: impl Fn(&Thread) -> T + Sync) -> Vec<T> {
    let all = Arc::new(All { barrier: Barrier::new(size), given: Mutex::new(vec![Vec::new(); size]) });
    std::thread::scope(|scope| {
        let start = |rank| {
            let (thread, work) = (Thread { rank, all: all.clone() }, &work);
            scope.spawn(move || work(&thread))
        };
        let threads: Vec<_> = (0..size).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

impl Clone for Thread {
    fn clone(&self) -> Self {
        Self { rank: self.rank, all: self.all.clone() }
    }
}

impl Collective for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.all.given.lock().unwrap().len()).unwrap()
    }

    fn sum(&self, values: &mut [f32]) -> Result<()> {
        let own: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let all = self.gather(&own)?;
        for (rank, bytes) in all.iter().enumerate() {
            let (theirs, _) = bytes.as_chunks::<4>();
            for (value, their) in values.iter_mut().zip(theirs) {
                let their = f32::from_le_bytes(*their);
                *value = if rank == 0 { their } else { *value + their };
            }
        }
        Ok(())
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        *self.all.given.lock().unwrap().get_mut(self.rank).unwrap() = own.to_vec();
        self.all.barrier.wait();
        let all = self.all.given.lock().unwrap().clone();
        // Nobody gives anything new before all have read.
        self.all.barrier.wait();
        Ok(all)
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()> {
        *bytes = self.gather(bytes)?.swap_remove(0);
        Ok(())
    }

    fn barrier(&self) -> Result<()> {
        self.gather(&[]).map(drop)
    }
}
