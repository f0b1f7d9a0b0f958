//! What takes batches and labels them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use rayon::ThreadPool;
use tracing::error;

use super::batch::Batch;
use super::job::{Failure, Job};
use super::model::Shared;
use super::queue::Finished;
use super::tasks::Tasks;
use crate::Result;
use crate::label::{Item, Labeller, TaggedSentence};

/// Labels what waits, batch by batch, until the queue is closed and empty. `own` are the threads of this worker.
///
/// A batch that is alone is labelled by all threads of the process. While other workers have batches, each keeps to its own threads:
/// threads that share a batch wait for each other at every operation.
pub(super) fn work(shared: &Shared, tasks: &Tasks<'_>, own: Option<&ThreadPool>) {
    let mut before = Finished::default();
    while let Some(batch) = shared.queue.take(before) {
        shared.metrics.batch(batch.texts.len(), batch.words);
        let started = Instant::now();
        let answers = match own.filter(|_| !batch.is_alone) {
            Some(own) => own.install(|| answers(shared, tasks, &batch)),
            None => answers(shared, tasks, &batch),
        };
        shared.keep_names(tasks.names());
        // Before the clients have their answers, because they ask again at once.
        before = shared.queue.done(&batch, started.elapsed());
        for ((job, number, _), answer) in batch.texts.iter().zip(answers) {
            job.give(*number, answer);
        }
    }
}

/// An answer for each text of `batch`.
fn answers(shared: &Shared, tasks: &Tasks<'_>, batch: &Batch) -> Vec<std::result::Result<TaggedSentence, Failure>> {
    let (model, task) = (&shared.name, &batch.key.task);
    let labeller = match guarded(|| tasks.get(task)) {
        Ok(labeller) => labeller,
        Err(reason) => {
            error!(model, task, "the weights of the task cannot be generated: {reason}");
            return batch.texts.iter().map(|_| Err(Failure::Task)).collect();
        }
    };
    let items: Vec<Item<'static>> = batch.texts.iter().map(|(_, _, item)| item.clone()).collect();
    match guarded(|| label(&labeller, batch, items)) {
        Ok(labelled) if labelled.len() == batch.texts.len() => return labelled.into_iter().map(Ok).collect(),
        Ok(labelled) => error!(model, task, "{} texts have {} answers", batch.texts.len(), labelled.len()),
        Err(reason) => error!(model, task, "a batch cannot be labelled: {reason}"),
    }
    // One of the texts fails. The others are answered all the same.
    let alone = |(_, _, item): &(Arc<Job>, usize, Item<'static>)| {
        let labelled = guarded(|| label(&labeller, batch, vec![item.clone()]));
        let only = labelled.and_then(|labelled| labelled.into_iter().next().ok_or_else(|| "no answer".to_owned()));
        only.map_err(|reason| {
            error!(model, task, "a text cannot be labelled: {reason}");
            Failure::Text
        })
    };
    batch.texts.iter().map(alone).collect()
}

fn label(labeller: &Labeller<'_>, batch: &Batch, items: Vec<Item<'static>>) -> Result<Vec<TaggedSentence>> {
    match batch.key.n_best {
        Some(n) => labeller.label_n_best(items, n),
        None => labeller.label(items),
    }
}

/// The result of `work`, or the reason why it failed. A panic must not take the model away from everybody else.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("this is a bug: the labeller panicked".to_owned()),
    }
}
