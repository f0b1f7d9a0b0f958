//! How many batches are labelled at once.

use candle_core::Device;
use rayon::prelude::*;

use crate::Result;

/// How many batches of a model on `device` are labelled at once: one for each thread of the CPU, and one on a GPU, which computes one batch
/// on all of itself, in the order in which one thread asks for it.
pub(crate) fn at_once(device: &Device) -> usize {
    if device.is_cpu() { rayon::current_num_threads().max(1) } else { 1 }
}

/// What `label` makes of each of `batches`, in their order, [`at_once`] of them at a time.
///
/// Each thread labels another batch: threads that share a batch wait for each other at every operation. No more batches run at once than
/// there are threads, because a waiting thread would start another and hold its memory. On the CPU all of it runs on threads of the pool,
/// because on another thread each operation of a single batch would enter the pool by itself. On a GPU all of it runs on the calling thread.
pub(crate) fn each_batch<B: Sync, T: Send>(
    batches: &[B],
    device: &Device,
    label: impl Fn(&B) -> Result<T> + Send + Sync,
) -> Result<Vec<T>> {
    let at_once = at_once(device);
    if !device.is_cpu() {
        return batches.iter().map(label).collect();
    }
    rayon::scope(|_| {
        let mut all = Vec::with_capacity(batches.len());
        for some in batches.chunks(at_once) {
            all.extend(some.par_iter().with_max_len(1).map(&label).collect::<Result<Vec<_>>>()?);
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn answers_come_in_the_order_of_their_batches_and_no_more_run_than_there_are_threads() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let batches: Vec<usize> = (0..20).collect();
        let found = each_batch(&batches, &Device::Cpu, |batch| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(10 * batch)
        });
        assert_eq!(found.unwrap(), batches.iter().map(|batch| 10 * batch).collect::<Vec<_>>());
        assert!((1..=at_once(&Device::Cpu)).contains(&most.into_inner()));
    }
}
