//! Which texts become a batch, and who waits.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::thread;
use std::time::Duration;

use tokio::sync::oneshot::Receiver;

use super::batch::BatchLimits;
use super::job::{Answer, Job, Key, Text};
use super::queue::{Finished, Queue, Refused};
use crate::label::{Item, TaggedSentence};

/// Of two workers.
const LIMITS: BatchLimits = BatchLimits { texts: 4, words: 20, workers: 2 };
const ALONE: BatchLimits = BatchLimits { workers: 1, ..LIMITS };

/// Puts a request for `task` into the queue whose texts have so many words each.
fn push(queue: &Queue, task: &str, words: &[usize]) -> Result<Receiver<Answer>, Refused> {
    let (job, answer) = Job::new(Key { task: task.into(), n_best: None }, words.len());
    let text = |(i, words): (usize, &usize)| Text { item: Item::raw(format!("{task}{i}")), words: *words };
    queue.push(job, words.iter().enumerate().map(text).collect()).map(|()| answer)
}

/// The texts of the next batch.
fn taken(queue: &Queue) -> Vec<String> {
    queue.take(Finished::default()).unwrap().texts.iter().map(|(_, _, item)| item.text().to_owned()).collect()
}

#[test]
fn a_batch_has_one_task_the_one_of_most_texts_and_requests_are_served_in_turn() {
    let queue = Queue::new(9, ALONE);
    let _answers =
        [push(&queue, "b", &[1; 2]).unwrap(), push(&queue, "a", &[1; 6]).unwrap(), push(&queue, "a", &[2]).unwrap()];
    // The long request gives one text, then the short one, then the long one again.
    assert_eq!(taken(&queue), ["a0", "a0", "a1", "a2"]);
    assert_eq!(taken(&queue), ["a3", "a4", "a5"]);
    assert_eq!(taken(&queue), ["b0", "b1"]);
    assert_eq!(queue.len(), 0);
}

#[test]
fn a_request_is_passed_over_twice_at_most() {
    let queue = Queue::new(9, ALONE);
    let _answers = [push(&queue, "a", &[1; 20]).unwrap(), push(&queue, "b", &[1]).unwrap()];
    assert_eq!([taken(&queue).len(), taken(&queue).len()], [4, 4]);
    assert_eq!(taken(&queue), ["b0"]);
    assert_eq!(taken(&queue)[0], "a8");
}

#[test]
fn a_worker_takes_its_share_of_what_waits_and_what_is_being_labelled() {
    let queue = Queue::new(9, LIMITS);
    let _answers = [(); 5].map(|()| push(&queue, "a", &[1]).unwrap());
    let batches = [(); 2].map(|()| queue.take(Finished::default()).unwrap());
    assert_eq!(batches.each_ref().map(|batch| batch.texts.len()), [3, 2]);
    queue.done(&batches[0], Duration::ZERO);
    let _more = [(); 4].map(|()| push(&queue, "a", &[1]).unwrap());
    assert_eq!(taken(&queue).len(), 3, "a half of four that wait and two that are being labelled");
}

#[test]
fn a_batch_is_alone_if_nothing_waits_and_nothing_is_being_labelled() {
    let queue = Queue::new(9, LIMITS);
    let _first = push(&queue, "a", &[1]).unwrap();
    let alone = queue.take(Finished::default()).unwrap();
    let _second = push(&queue, "a", &[1]).unwrap();
    let beside = queue.take(Finished::default()).unwrap();
    assert!(alone.is_alone && !beside.is_alone);
    queue.done(&alone, Duration::ZERO);
    queue.done(&beside, Duration::ZERO);
    let _others = [push(&queue, "a", &[1]).unwrap(), push(&queue, "b", &[1]).unwrap()];
    assert!(!queue.take(Finished::default()).unwrap().is_alone, "the other one waits");
}

#[test]
fn a_worker_waits_for_the_clients_that_it_has_just_answered() {
    let queue = Queue::new(9, ALONE).patient();
    // A worker would wait for minutes for texts that do not come.
    let labelled = |texts: usize| {
        let _asked = push(&queue, "a", &vec![1; texts]).unwrap();
        queue.done(&queue.take(Finished::default()).unwrap(), Duration::from_secs(3600))
    };
    let two = labelled(2);
    thread::scope(|scope| {
        let asked_again = scope.spawn(|| {
            let first = push(&queue, "a", &[1]).unwrap();
            thread::sleep(Duration::from_millis(20));
            [first, push(&queue, "a", &[1]).unwrap()]
        });
        assert_eq!(queue.take(two).unwrap().texts.len(), 2);
        asked_again.join().unwrap();
    });
    let one = labelled(1);
    let _next = push(&queue, "a", &[1]).unwrap();
    assert_eq!(queue.take(one).unwrap().texts.len(), 1);
    let _whole_batch_waits = push(&queue, "a", &[1; 8]).unwrap();
    let four = queue.done(&queue.take(Finished::default()).unwrap(), Duration::from_secs(3600));
    assert_eq!(queue.take(four).unwrap().texts.len(), 4, "it cannot be larger");
}

#[test]
fn a_batch_is_bounded_in_words() {
    let queue = Queue::new(9, ALONE);
    let _answer = push(&queue, "a", &[9, 9, 9]).unwrap();
    assert_eq!(taken(&queue), ["a0", "a1"]);
    assert_eq!(taken(&queue), ["a2"]);
}

#[test]
fn long_texts_leave_a_worker_for_the_others() {
    let queue = Queue::new(9, LIMITS);
    let _answers =
        [push(&queue, "long", &[99]).unwrap(), push(&queue, "long", &[99]).unwrap(), push(&queue, "a", &[3]).unwrap()];
    let first = queue.take(Finished::default()).unwrap();
    assert_eq!(first.words, 99);
    assert_eq!(taken(&queue), ["a0"], "the second long text waits for the first");
    queue.done(&first, Duration::ZERO);
    assert_eq!(queue.take(Finished::default()).unwrap().words, 99);
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
    assert!(queue.take(Finished::default()).is_none());
}

#[test]
fn an_answer_has_the_texts_in_their_order_whatever_was_labelled_first() {
    let (job, mut answer) = Job::new(Key { task: "a".into(), n_best: None }, 2);
    let labelled = |text: &str| TaggedSentence { text: text.to_owned(), ..TaggedSentence::default() };
    job.give(1, Ok(labelled("second")));
    assert!(answer.try_recv().is_err() && !job.is_over());
    job.give(0, Ok(labelled("first")));
    let texts: Vec<String> = answer.try_recv().unwrap().unwrap().into_iter().map(|labelled| labelled.text).collect();
    assert_eq!(texts, ["first", "second"]);
    assert!(job.is_over());
}
