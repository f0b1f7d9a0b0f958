//! Makes the next step's batches while the current step trains.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use datasets::encode::{Batch, PairView, Pairs, collate};
use datasets::sample::{SamplerState, TaskSampler};

use crate::{Error, Result};

/// The number of steps made in advance.
const AHEAD: usize = 1;

/// How sentences are drawn and cut into batches.
#[derive(Debug, Clone)]
pub(super) struct Drawing {
    /// The sentences of each task.
    pub(super) tasks: Vec<Arc<Pairs>>,
    /// Sentences of a micro-batch.
    pub(super) batch_size: usize,
    /// Micro-batches of a step.
    pub(super) micro_batches: NonZeroUsize,
    /// Whether a step's sentences are sorted by length before they are cut into micro-batches.
    pub(super) by_length: bool,
    /// The id of padding.
    pub(super) pad: u32,
}

/// The batches of one step.
#[derive(Debug)]
pub(super) struct Prefetched {
    /// The task of all its batches.
    pub(super) task: usize,
    /// The micro-batches, in their order.
    pub(super) batches: Vec<Batch>,
    /// The sampler's state after this step; a checkpoint keeps it once the step has been trained on.
    pub(super) state: SamplerState,
}

impl Drawing {
    /// Draws the next step: a task, and its sentences uniformly with replacement.
    fn step(&self, sampler: &mut TaskSampler) -> Result<Prefetched> {
        let task = sampler.next_task();
        let missing = || Error::Training(format!("the sampler drew task {task} of {}", self.tasks.len()));
        let pairs = self.tasks.get(task).ok_or_else(missing)?;
        let mut drawn = Vec::with_capacity(self.batch_size * self.micro_batches.get());
        for _ in 0..self.micro_batches.get() {
            drawn.extend(sampler.next_items(task, self.batch_size)?.into_iter().filter_map(|item| pairs.get(item)));
        }
        if self.by_length {
            // A stable sort: sentences of the same length keep the order in which they were drawn.
            drawn.sort_by_key(|pair| pair.source.len() + pair.target.len());
        }
        let batches = drawn.chunks(self.batch_size).map(|pairs: &[PairView<'_>]| collate(pairs, self.pad)).collect();
        Ok(Prefetched { task, batches, state: sampler.state() })
    }
}

/// A thread that makes one step ahead of the step that trains.
///
/// Only this thread owns the sampler, so it draws the same steps as a loop without prefetching. It ends when this value is
/// dropped.
#[derive(Debug)]
pub(super) struct Prefetcher {
    micro_batches: NonZeroUsize,
    steps: Option<Receiver<Result<Prefetched>>>,
    thread: Option<JoinHandle<()>>,
}

impl Prefetcher {
    /// Starts to draw from `sampler`.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub(super) fn start(drawing: Drawing, mut sampler: TaskSampler) -> Result<Self> {
        let (sender, steps) = sync_channel(AHEAD);
        let micro_batches = drawing.micro_batches;
        let draw = move || {
            loop {
                let step = drawing.step(&mut sampler);
                let failed = step.is_err();
                // Sending fails once the receiver is gone: nobody waits for steps any more.
                if sender.send(step).is_err() || failed {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("batches".to_owned()).spawn(draw);
        let thread = thread.map_err(|e| Error::Training(format!("no thread to prepare batches: {e}")))?;
        Ok(Self { micro_batches, steps: Some(steps), thread: Some(thread) })
    }

    /// The number of micro-batches of its steps.
    pub(super) fn micro_batches(&self) -> NonZeroUsize {
        self.micro_batches
    }

    /// The next step.
    ///
    /// # Errors
    /// If it could not be drawn.
    pub(super) fn next(&mut self) -> Result<Prefetched> {
        let step = self.steps.as_ref().and_then(|steps| steps.recv().ok());
        step.unwrap_or_else(|| {
            if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                std::panic::resume_unwind(panic);
            }
            Err(Error::Training("the thread that prepares batches ended early".to_owned()))
        })
    }
}

impl Drop for Prefetcher {
    fn drop(&mut self) {
        // Without a receiver the thread's next send fails, and the thread ends.
        drop(self.steps.take());
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked; `next` passes that on.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use datasets::encode::Pair;
    use proptest::prelude::*;

    use super::*;

    /// Two tasks; each sentence starts with its own number and has some length.
    fn drawing(by_length: bool, micro_batches: usize) -> Drawing {
        let pair = |i: u32| Pair {
            source: vec![i + 1; 1 + (i as usize * 7) % 11],
            target: vec![i + 1; 1 + (i as usize * 5) % 6],
            ..Pair::default()
        };
        let tasks = vec![Arc::new((0..50).map(pair).collect()), Arc::new((50..60).map(pair).collect())];
        Drawing { tasks, batch_size: 3, micro_batches: micro_batches.try_into().unwrap(), by_length, pad: 0 }
    }

    fn sampler(seed: u64) -> TaskSampler {
        TaskSampler::new(&[50, 10], 10.0, seed).unwrap()
    }

    /// The numbers of a step's sentences, in their order.
    fn sentences(step: &Prefetched) -> Vec<u32> {
        let rows = |batch: &Batch| {
            let length = batch.shape.source_length;
            batch.source.chunks(length).map(|row| row[0]).collect::<Vec<_>>()
        };
        step.batches.iter().flat_map(rows).collect()
    }

    #[test]
    fn prefetching_gives_the_steps_that_are_drawn_without_it() {
        let drawing = drawing(false, 2);
        let mut prefetcher = Prefetcher::start(drawing.clone(), sampler(5)).unwrap();
        let mut sampler = sampler(5);
        for _ in 0..40 {
            let task = sampler.next_task();
            let mut expected = Vec::new();
            for _ in 0..2 {
                let items = sampler.next_items(task, 3).unwrap();
                let pairs: Vec<_> = items.iter().map(|&item| drawing.tasks[task].get(item).unwrap()).collect();
                expected.push(collate(&pairs, 0));
            }
            let step = prefetcher.next().unwrap();
            assert_eq!((step.task, &step.batches, &step.state), (task, &expected, &sampler.state()));
        }
    }

    #[test]
    fn from_the_state_after_any_step_the_next_one_follows() {
        let drawing = drawing(true, 3);
        let mut whole = Prefetcher::start(drawing.clone(), sampler(9)).unwrap();
        let steps: Vec<Prefetched> = (0..12).map(|_| whole.next().unwrap()).collect();
        for (before, next) in steps.iter().zip(&steps[1..]) {
            let mut again = sampler(1);
            again.restore(before.state.clone()).unwrap();
            let step = Prefetcher::start(drawing.clone(), again).unwrap().next().unwrap();
            assert_eq!((step.task, &step.batches, &step.state), (next.task, &next.batches, &next.state));
        }
    }

    #[test]
    fn length_buckets_need_less_padding() {
        let padded = |by_length| {
            let (drawing, mut sampler) = (drawing(by_length, 4), sampler(3));
            let steps = (0..50).map(|_| drawing.step(&mut sampler).unwrap());
            steps.flat_map(|step| step.batches).map(|b| b.source.len() + b.target.len()).sum::<usize>()
        };
        assert!(padded(true) * 10 < padded(false) * 9, "{} of {}", padded(true), padded(false));
    }

    #[test]
    fn an_error_comes_through_and_a_prefetcher_that_nobody_reads_ends() {
        let mut broken = drawing(false, 1);
        broken.tasks.truncate(1);
        let mut prefetcher = Prefetcher::start(broken, sampler(0)).unwrap();
        let error = std::iter::from_fn(|| Some(prefetcher.next())).find_map(Result::err).unwrap();
        assert!(error.to_string().contains("task 1 of 1"), "{error}");
        assert!(prefetcher.next().unwrap_err().to_string().contains("ended early"));
        drop(Prefetcher::start(drawing(false, 1), sampler(0)).unwrap());
    }

    proptest! {
        #[test]
        fn regrouping_changes_neither_the_sentences_of_a_step_nor_what_follows(
            seed in any::<u64>(),
            micro_batches in 1..6usize,
        ) {
            let (drawn, sorted) = (drawing(false, micro_batches), drawing(true, micro_batches));
            let (mut one, mut other) = (sampler(seed), sampler(seed));
            for _ in 0..5 {
                let (drawn, sorted) = (drawn.step(&mut one).unwrap(), sorted.step(&mut other).unwrap());
                prop_assert_eq!((drawn.task, &drawn.state), (sorted.task, &sorted.state));
                let batches = |step: &Prefetched| step.batches.iter().map(|b| b.shape.batch).collect::<Vec<_>>();
                prop_assert_eq!(batches(&drawn), batches(&sorted));
                let (mut expected, mut found) = (sentences(&drawn), sentences(&sorted));
                expected.sort_unstable();
                found.sort_unstable();
                prop_assert_eq!(expected, found);
            }
        }
    }
}
