//! How batches are cut from the requests that wait.

use std::collections::VecDeque;
use std::sync::Arc;

use super::job::{Job, Key, Text};
use crate::label::Item;

/// How often a request may be passed over for a task of which more texts wait.
const MOST_PASSED: usize = 2;

/// The most that one batch holds. A single text may have more words than that: it is a batch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchLimits {
    pub(super) texts: usize,
    pub(super) words: usize,
    /// The batches that are labelled at once. Texts of more words than a batch take all of them but one, so that short requests do
    /// not wait for long documents. A single worker has to take them as they come.
    ///
    /// A batch has no more texts than its share of all that wait or are being labelled, so that the other workers have batches of the
    /// same size.
    pub(super) workers: usize,
}

/// Texts of one task that are labelled together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) key: Key,
    /// Each with the job that it belongs to and its number in it.
    pub(super) texts: Vec<(Arc<Job>, usize, Item<'static>)>,
    pub(super) words: usize,
    /// Whether nothing else waits or is being labelled, so that it may use all threads.
    pub(super) is_alone: bool,
    pub(super) is_long: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) waiting: VecDeque<Waiting>,
    /// The batches of long texts that are being labelled.
    pub(super) long: usize,
    /// The texts that are being labelled.
    pub(super) running: usize,
    /// The texts that have come so far.
    pub(super) arrived: usize,
    pub(super) closed: bool,
}

/// A request, and which of its texts are in no batch yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) job: Arc<Job>,
    pub(super) texts: VecDeque<(usize, Text)>,
    /// How many batches of other tasks were taken since it came.
    pub(super) passed: usize,
}

impl State {
    /// The next batch: one text of each request for its task in turn.
    ///
    /// Its task is the one of which most texts wait, as large batches cost less a text; but a request that was passed over too often
    /// comes first. A request with texts left goes to the end, so that one with many texts does not hold up the others.
    pub(super) fn cut(&mut self, limits: &BatchLimits) -> Option<Batch> {
        self.waiting.retain(|waiting| !waiting.job.is_over());
        let may_be_long = limits.workers <= 1 || self.long < limits.workers - 1;
        let key = self.next_key(|waiting| may_be_long || waiting.next_words() <= limits.words)?;
        let share = (self.texts() + self.running).div_ceil(limits.workers.max(1));
        let most = limits.texts.min(share);
        let (mut texts, mut words) = (Vec::new(), 0);
        loop {
            let before = texts.len();
            for waiting in self.waiting.iter_mut().filter(|waiting| waiting.job.key == key) {
                let next = waiting.next_words();
                let has_room = match texts.is_empty() {
                    true => may_be_long || next <= limits.words,
                    false => texts.len() < most && words + next <= limits.words,
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
        self.waiting.iter_mut().filter(|waiting| waiting.job.key != key).for_each(|waiting| waiting.passed += 1);
        self.waiting.extend(begun.into_iter().filter(|waiting| !waiting.texts.is_empty()));
        let (is_long, is_alone) = (words > limits.words, self.waiting.is_empty() && self.running == 0);
        self.long += usize::from(is_long);
        self.running += texts.len();
        Some(Batch { key, texts, words, is_alone, is_long })
    }

    /// The key of the next batch, which must have a request that `fits`.
    fn next_key(&self, fits: impl Fn(&Waiting) -> bool) -> Option<Key> {
        let mut fitting = self.waiting.iter().filter(|waiting| fits(waiting)).peekable();
        let oldest = *fitting.peek()?;
        if oldest.passed >= MOST_PASSED {
            return Some(oldest.job.key.clone());
        }
        let mut counts: Vec<(&Key, usize)> = Vec::new();
        for waiting in fitting {
            match counts.iter_mut().find(|(key, _)| *key == &waiting.job.key) {
                Some((_, count)) => *count += waiting.texts.len(),
                None => counts.push((&waiting.job.key, waiting.texts.len())),
            }
        }
        // Of several with as many texts, the one that came first.
        let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
        most.map(|(key, _)| key.clone())
    }

    /// The texts that wait.
    pub(super) fn texts(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.texts.len()).sum()
    }
}

impl Waiting {
    /// The words of its next text.
    fn next_words(&self) -> usize {
        self.texts.front().map_or(0, |(_, text)| text.words)
    }
}
