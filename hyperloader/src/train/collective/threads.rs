//! Ranks that are threads, for tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

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

    fn sum(&self, parts: Vec<Vec<f32>>) -> Result<Vec<f32>> {
        let own: Vec<u8> = parts.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        let all = self.gather(&own)?;
        let values = all.iter().flat_map(|bytes| bytes.as_chunks::<4>().0).map(|bytes| f32::from_le_bytes(*bytes));
        let values: Vec<f32> = values.collect();
        let parts = values.chunks(parts[0].len()).map(<[f32]>::to_vec).collect();
        super::Alone.sum(parts)
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
