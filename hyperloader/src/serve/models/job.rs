//! What one request asks of a model.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::label::{Item, TaggedSentence};

/// A text of a request and the number of its words.
#[derive(Debug)]
pub(in crate::serve) struct Text {
    pub(in crate::serve) item: Item<'static>,
    pub(in crate::serve) words: usize,
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum Failure {
    /// The weights of its task cannot be generated.
    Task,
    /// The model fails on one of its texts.
    Text,
}

/// What a client gets: its labelled texts in their order.
pub(in crate::serve) type Answer = Result<Vec<TaggedSentence>, Failure>;

/// What texts must share to be labelled together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct Key {
    pub(in crate::serve) task: String,
    /// The sequences of tags that are asked for; `None` decodes as the run does.
    pub(in crate::serve) n_best: Option<NonZeroUsize>,
}

/// A request: its texts, and where its answer goes.
#[derive(Debug)]
pub(in crate::serve) struct Job {
    pub(super) key: Key,
    reply: Mutex<Reply>,
}

#[derive(Debug)]
struct Reply {
    /// `None` once the answer is given.
    to: Option<oneshot::Sender<Answer>>,
    labelled: Vec<Option<TaggedSentence>>,
    missing: usize,
}

impl Job {
    /// A job of `texts` texts, and where its answer will be.
    pub(in crate::serve) fn new(key: Key, texts: usize) -> (Self, oneshot::Receiver<Answer>) {
        let (to, answer) = oneshot::channel();
        let labelled = std::iter::repeat_with(|| None).take(texts).collect();
        (Self { key, reply: Mutex::new(Reply { to: Some(to), labelled, missing: texts }) }, answer)
    }

    /// Whether nobody waits for the answer: it was given, or the client has gone.
    pub(super) fn is_over(&self) -> bool {
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        reply.to.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Takes the result of the text with this number. The last one makes the answer, and so does a failure.
    pub(super) fn give(&self, number: usize, labelled: Result<TaggedSentence, Failure>) {
        let mut reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match labelled {
            Err(failure) => Err(failure),
            Ok(labelled) => {
                if let Some(slot) = reply.labelled.get_mut(number)
                    && slot.replace(labelled).is_none()
                {
                    reply.missing -= 1;
                }
                if reply.missing > 0 {
                    return;
                }
                Ok(std::mem::take(&mut reply.labelled).into_iter().flatten().collect())
            }
        };
        if let Some(to) = reply.to.take() {
            // A client that has gone wants no answer.
            let _ = to.send(answer);
        }
    }
}
