//! The requests of a model that wait, and how batches are cut from them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::job::{Job, Key, Text};
use crate::label::Item;

/// The most that one batch holds. A single text may have more words than that: it is a batch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchLimits {
    pub(super) texts: usize,
    pub(super) words: usize,
    /// The batches that are labelled at once. Texts of more words than a batch take all of them but one, so that short requests do
    /// not wait for long documents. A single worker has to take them as they come.
    pub(super) workers: usize,
}

/// Texts of one task that are labelled together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) key: Key,
    /// Each with the job that it belongs to and its number in it.
    pub(super) texts: Vec<(Arc<Job>, usize, Item<'static>)>,
    pub(super) words: usize,
    is_long: bool,
}

/// Why a request does not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum Refused {
    /// As many wait as may.
    Full,
    /// The model is being unloaded.
    Closed,
}

/// The requests of a model that wait, in the order of their arrival.
#[derive(Debug)]
pub(in crate::serve) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
    limits: BatchLimits,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// The batches of long texts that are being labelled.
    long: usize,
    closed: bool,
}

/// A request, and which of its texts are in no batch yet.
#[derive(Debug)]
struct Waiting {
    job: Arc<Job>,
    texts: VecDeque<(usize, Text)>,
}

impl Queue {
    pub(super) fn new(capacity: usize, limits: BatchLimits) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), capacity, limits }
    }

    /// The number of requests that wait.
    pub(in crate::serve) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Adds a request at the end. It must have texts.
    pub(in crate::serve) fn push(&self, job: Job, texts: Vec<Text>) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= self.capacity {
            // Clients that have gone make room.
            state.waiting.retain(|waiting| !waiting.job.is_over());
            if state.waiting.len() >= self.capacity {
                return Err(Refused::Full);
            }
        }
        state.waiting.push_back(Waiting { job: Arc::new(job), texts: texts.into_iter().enumerate().collect() });
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Lets nothing in any more. What waits is still taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The next batch, which is waited for; `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Batch> {
        let mut state = self.lock();
        loop {
            if let Some(batch) = state.cut(&self.limits) {
                // One request may be several batches, and a worker was woken for the request alone.
                let goes_on = !state.waiting.is_empty();
                drop(state);
                if goes_on {
                    self.changed.notify_one();
                }
                return Some(batch);
            }
            if state.closed && state.waiting.is_empty() {
                drop(state);
                self.changed.notify_all();
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says that a batch which was taken has been labelled.
    pub(super) fn done(&self, batch: &Batch) {
        if batch.is_long {
            self.lock().long -= 1;
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next batch: of the task of the request that has waited longest, one text of each of its requests in turn.
    ///
    /// A request with texts left goes to the end, so that one with many texts does not hold up the others.
    fn cut(&mut self, limits: &BatchLimits) -> Option<Batch> {
        self.waiting.retain(|waiting| !waiting.job.is_over());
        let may_be_long = limits.workers <= 1 || self.long < limits.workers - 1;
        let fits = |waiting: &&Waiting| may_be_long || waiting.next_words() <= limits.words;
        let key = self.waiting.iter().find(fits)?.job.key.clone();
        let (mut texts, mut words) = (Vec::new(), 0);
        loop {
            let before = texts.len();
            for waiting in self.waiting.iter_mut().filter(|waiting| waiting.job.key == key) {
                let next = waiting.next_words();
                let has_room = match texts.is_empty() {
                    true => may_be_long || next <= limits.words,
                    false => texts.len() < limits.texts && words + next <= limits.words,
                };
                if has_room && let Some((number, text)) = waiting.texts.pop_front() {
                    words += text.words;
                    texts.push((waiting.job.clone(), number, text.item));
                }
            }
            if texts.len() == before {
                break;
            }
        }
        let (begun, rest): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|w| texts.iter().any(|t| Arc::ptr_eq(&t.0, &w.job)));
        self.waiting = rest;
        self.waiting.extend(begun.into_iter().filter(|waiting| !waiting.texts.is_empty()));
        let is_long = words > limits.words;
        self.long += usize::from(is_long);
        Some(Batch { key, texts, words, is_long })
    }
}

impl Waiting {
    /// The words of its next text.
    fn next_words(&self) -> usize {
        self.texts.front().map_or(0, |(_, text)| text.words)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::job::Answer;
    use super::*;
    use crate::label::TaggedSentence;
    use tokio::sync::oneshot::Receiver;

    const LIMITS: BatchLimits = BatchLimits { texts: 4, words: 20, workers: 2 };

    /// Puts a request for `task` into the queue whose texts have so many words each.
    fn push(queue: &Queue, task: &str, words: &[usize]) -> Result<Receiver<Answer>, Refused> {
        let (job, answer) = Job::new(Key { task: task.into(), n_best: None }, words.len());
        let text = |(i, words): (usize, &usize)| Text { item: Item::raw(format!("{task}{i}")), words: *words };
        queue.push(job, words.iter().enumerate().map(text).collect()).map(|()| answer)
    }

    /// The texts of the next batch.
    fn taken(queue: &Queue) -> Vec<String> {
        queue.take().unwrap().texts.iter().map(|(_, _, item)| item.text().to_owned()).collect()
    }

    #[test]
    fn a_batch_has_one_task_and_requests_are_served_in_turn() {
        let queue = Queue::new(9, LIMITS);
        let _answers = [
            push(&queue, "a", &[1; 6]).unwrap(),
            push(&queue, "b", &[1; 2]).unwrap(),
            push(&queue, "a", &[2]).unwrap(),
        ];
        // The long request gives one text, then the short one, then the long one again.
        assert_eq!(taken(&queue), ["a0", "a0", "a1", "a2"]);
        assert_eq!(taken(&queue), ["b0", "b1"], "the rest of the long request waits for the other task");
        assert_eq!(taken(&queue), ["a3", "a4", "a5"]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_batch_is_bounded_in_words() {
        let queue = Queue::new(9, LIMITS);
        let _answer = push(&queue, "a", &[9, 9, 9]).unwrap();
        assert_eq!(taken(&queue), ["a0", "a1"]);
        assert_eq!(taken(&queue), ["a2"]);
    }

    #[test]
    fn long_texts_leave_a_worker_for_the_others() {
        let queue = Queue::new(9, LIMITS);
        let _answers = [
            push(&queue, "long", &[99]).unwrap(),
            push(&queue, "long", &[99]).unwrap(),
            push(&queue, "a", &[3]).unwrap(),
        ];
        let first = queue.take().unwrap();
        assert_eq!(first.words, 99);
        assert_eq!(taken(&queue), ["a0"], "the second long text waits for the first");
        queue.done(&first);
        assert_eq!(queue.take().unwrap().words, 99);
    }

    #[test]
    fn a_full_queue_refuses_and_clients_that_have_gone_make_room() {
        let queue = Queue::new(2, LIMITS);
        let (first, _second) = (push(&queue, "a", &[1]).unwrap(), push(&queue, "b", &[1]).unwrap());
        assert_eq!(push(&queue, "c", &[1]).unwrap_err(), Refused::Full);
        drop(first);
        let _third = push(&queue, "c", &[1]).unwrap();
        assert_eq!([taken(&queue), taken(&queue)], [["b0"], ["c0"]]);
    }

    #[test]
    fn a_closed_queue_gives_what_waits_and_ends() {
        let queue = Queue::new(2, LIMITS);
        let _answer = push(&queue, "a", &[1]).unwrap();
        queue.close();
        assert_eq!(push(&queue, "a", &[1]).unwrap_err(), Refused::Closed);
        assert_eq!(taken(&queue), ["a0"]);
        assert!(queue.take().is_none());
    }

    #[test]
    fn an_answer_has_the_texts_in_their_order_whatever_was_labelled_first() {
        let (job, mut answer) = Job::new(Key { task: "a".into(), n_best: None }, 2);
        let labelled = |text: &str| TaggedSentence { text: text.to_owned(), ..TaggedSentence::default() };
        job.give(1, Ok(labelled("second")));
        assert!(answer.try_recv().is_err() && !job.is_over());
        job.give(0, Ok(labelled("first")));
        let texts: Vec<String> =
            answer.try_recv().unwrap().unwrap().into_iter().map(|labelled| labelled.text).collect();
        assert_eq!(texts, ["first", "second"]);
        assert!(job.is_over());
    }
}
