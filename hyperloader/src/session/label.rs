//! A session that labels: which tags a task has, and the labeller for it.

use datasets::labels::TagSet;

use super::Session;
use crate::config::Decoding;
use crate::eval::Labeller;
use crate::tasks::{Corpus, SplitName};
use crate::{Error, Result};

impl Session {
    /// A labeller for the task of `corpus`, decoding as the configuration says.
    ///
    /// # Errors
    /// As [`Labeller::new`] and, with structured decoding, [`tags_of`](Self::tags_of).
    pub fn labeller<'a>(&'a self, corpus: &'a Corpus<'a>) -> Result<Labeller<'a>> {
        let eval = &self.config.eval;
        let tags = match eval.decoding {
            Decoding::Structured => self.tags_of(corpus)?,
            Decoding::Free => Vec::new(),
        };
        Labeller::new(&self.model, &self.tokenizer, corpus, eval, &tags)
    }

    /// The simplified tags of a task: those that the run keeps or, where it keeps none, those of the training data.
    ///
    /// # Errors
    /// [`Error::Config`] saying what to do if neither can be had.
    pub fn tags_of(&self, corpus: &Corpus<'_>) -> Result<Vec<String>> {
        if let Some(tags) = self.tags.get(corpus.name()) {
            return Ok(tags.clone());
        }
        let (examples, _) = corpus.read(SplitName::Train).map_err(|e| {
            Error::Config(format!(
                "the tags of task {:?} are not known: the run folder has no tags.json with them, and the training data \
                 cannot be read ({e}). Put tags.json beside config.toml, {{\"{}\": [\"I\", \"O\", \"type\", ..]}}, make the \
                 training data readable, or decode freely with --decoding free",
                corpus.name(),
                corpus.name()
            ))
        })?;
        Ok(TagSet::of(&examples)?.simplified().map(str::to_owned).collect())
    }
}
