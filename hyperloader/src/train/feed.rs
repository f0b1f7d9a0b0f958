//! The next step's batches, made while this one trains.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use datasets::encode::{Batch, PairView, Pairs, collate};
use datasets::sample::{SamplerState, TaskSampler};

use crate::{Error, Result};

/// Steps that are made beforehand.
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
pub(super) struct Step {
    /// The task that all of them are of.
    pub(super) task: usize,
    /// The micro-batches, in their order.
    pub(super) batches: Vec<Batch>,
    /// The sampler's state behind this step: what a checkpoint keeps once it has been trained on.
    pub(super) state: SamplerState,
}

impl Drawing {
    /// Draws the next step: a task, and its sentences uniformly with replacement.
    fn step(&self, sampler: &mut TaskSampler) -> Result<Step> {
        let task = sampler.next_task();
        let missing = || Error::Training(format!("the sampler drew task {task} of {}", self.tasks.len()));
        let pairs = self.tasks.get(task).ok_or_else(missing)?;
        let mut drawn = Vec::with_capacity(self.batch_size * self.micro_batches.get());
        for _ in 0..self.micro_batches.get() {
            drawn.extend(sampler.next_items(task, self.batch_size)?.into_iter().filter_map(|item| pairs.get(item)));
        }
        if self.by_length {
            // Stable: sentences of one length stay as they were drawn.
            drawn.sort_by_key(|pair| pair.source.len() + pair.target.len());
        }
        let batches = drawn.chunks(self.batch_size).map(|pairs: &[PairView<'_>]| collate(pairs, self.pad)).collect();
        Ok(Step { task, batches, state: sampler.state() })
    }
}

/// A thread that makes steps, one ahead of those that are asked for.
///
/// It alone owns the sampler, so that the steps are those that would be drawn without it. It ends with this value.
#[derive(Debug)]
pub(super) struct Prefetcher {
    steps: Option<Receiver<Result<Step>>>,
    thread: Option<JoinHandle<()>>,
}

impl Prefetcher {
    /// Starts to draw from `sampler`.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub(super) fn start(drawing: Drawing, mut sampler: TaskSampler) -> Result<Self> {
        let (sender, steps) = sync_channel(AHEAD);
        let draw = move || {
            loop {
                let step = drawing.step(&mut sampler);
                let failed = step.is_err();
                // An error of the channel says that nobody waits for steps any more.
                if sender.send(step).is_err() || failed {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("batches".to_owned()).spawn(draw);
        let thread = thread.map_err(|e| Error::Training(format!("no thread to prepare batches: {e}")))?;
        Ok(Self { steps: Some(steps), thread: Some(thread) })
    }

    /// The next step.
    ///
    /// # Errors
    /// If it could not be drawn.
    pub(super) fn next(&mut self) -> Result<Step> {
        let step = self.steps.as_ref().and_then(|steps| steps.recv().ok());
        step.unwrap_or_else(|| Err(Error::Training("the thread that prepares batches ended early".to_owned())))
    }
}

impl Drop for Prefetcher {
    fn drop(&mut self) {
        // Without a receiver the thread's next send fails, and it ends.
        drop(self.steps.take());
        if let Some(thread) = self.thread.take() {
            // It has panicked: `next` has said so, or nobody asked for its steps.
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

    /// Two tasks; each sentence begins with a number of its own and has some length.
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
    fn sentences(step: &Step) -> Vec<u32> {
        let rows = |batch: &Batch| {
            let length = batch.shape.source_length;
            batch.source.chunks(length).map(|row| row[0]).collect::<Vec<_>>()
        };
        step.batches.iter().flat_map(rows).collect()
    }

    #[test]
    fn a_feed_gives_the_steps_that_are_drawn_without_it() {
        let drawing = drawing(false, 2);
        let mut feed = Prefetcher::start(drawing.clone(), sampler(5)).unwrap();
        let mut sampler = sampler(5);
        for _ in 0..40 {
            let task = sampler.next_task();
            let mut expected = Vec::new();
            for _ in 0..2 {
                let items = sampler.next_items(task, 3).unwrap();
                let pairs: Vec<_> = items.iter().map(|&item| drawing.tasks[task].get(item).unwrap()).collect();
                expected.push(collate(&pairs, 0));
            }
            let step = feed.next().unwrap();
            assert_eq!((step.task, &step.batches, &step.state), (task, &expected, &sampler.state()));
        }
    }

    #[test]
    fn from_the_state_behind_any_step_the_next_one_follows() {
        let drawing = drawing(true, 3);
        let mut whole = Prefetcher::start(drawing.clone(), sampler(9)).unwrap();
        let steps: Vec<Step> = (0..12).map(|_| whole.next().unwrap()).collect();
        for (behind, next) in steps.iter().zip(&steps[1..]) {
            let mut again = sampler(1);
            again.restore(behind.state.clone()).unwrap();
            let step = Prefetcher::start(drawing.clone(), again).unwrap().next().unwrap();
            assert_eq!((step.task, &step.batches, &step.state), (next.task, &next.batches, &next.state));
        }
    }

    #[test]
    fn buckets_leave_less_to_padding() {
        let padded = |by_length| {
            let (drawing, mut sampler) = (drawing(by_length, 4), sampler(3));
            let steps = (0..50).map(|_| drawing.step(&mut sampler).unwrap());
            steps.flat_map(|step| step.batches).map(|b| b.source.len() + b.target.len()).sum::<usize>()
        };
        assert!(padded(true) * 10 < padded(false) * 9, "{} of {}", padded(true), padded(false));
    }

    #[test]
    fn an_error_comes_through_and_a_feed_that_nobody_reads_ends() {
        let mut broken = drawing(false, 1);
        broken.tasks.truncate(1);
        let mut feed = Prefetcher::start(broken, sampler(0)).unwrap();
        let error = std::iter::from_fn(|| Some(feed.next())).find_map(Result::err).unwrap();
        assert!(error.to_string().contains("task 1 of 1"), "{error}");
        assert!(feed.next().unwrap_err().to_string().contains("ended early"));
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
                let batches = |step: &Step| step.batches.iter().map(|b| b.shape.batch).collect::<Vec<_>>();
                prop_assert_eq!(batches(&drawn), batches(&sorted));
                let (mut expected, mut found) = (sentences(&drawn), sentences(&sorted));
                expected.sort_unstable();
                found.sort_unstable();
                prop_assert_eq!(expected, found);
            }
        }
    }
}
