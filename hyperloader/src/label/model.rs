//! `PeftModel::labeller`.

use datasets::tokenizer::T5Tokenizer;
use peft_core::PeftModel;
use peft_t5::T5;

use super::{DecodeOptions, LabelTask, Labeller};
use crate::Result;

/// Adds `labeller` to models that can label sentences.
pub trait LabelSentences {
    /// A labeller for the task called `task` whose tags are `tags`: BIO tags (`B-city`, `I-city`, `O`) or span types (`city`).
    /// It decodes as [`DecodeOptions`] does by default; [`Labeller::new`] takes other options.
    ///
    /// # Errors
    /// As [`LabelTask::new`] and [`Labeller::new`].
    fn labeller<'a, T: AsRef<str>>(
        &'a self,
        task: &str,
        tokenizer: &'a T5Tokenizer,
        tags: &[T],
    ) -> Result<Labeller<'a>>;
}

impl LabelSentences for PeftModel<T5> {
    fn labeller<'a, T: AsRef<str>>(
        &'a self,
        task: &str,
        tokenizer: &'a T5Tokenizer,
        tags: &[T],
    ) -> Result<Labeller<'a>> {
        Labeller::new(self, tokenizer, LabelTask::new(task, tags)?, &DecodeOptions::default())
    }
}
