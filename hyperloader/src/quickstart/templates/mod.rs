//! The sentences of the quickstart: three sequence-labeling tasks made from templates, nothing downloaded.
//!
//! The data is `templates.toml`, whose first lines explain how a template is written.
//!
//! ```
//! use hyperloader::quickstart::templates::Templates;
//! use hyperloader::tasks::SplitName;
//!
//! let templates = Templates::load()?;
//! for task in &templates.tasks {
//!     let train = templates.draw(task, SplitName::Train, 42, 100)?;
//!     println!("{}: {:?}", task.name, train.first());
//! }
//! # Ok::<(), hyperloader::Error>(())
//! ```

mod sentence;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests;

use std::collections::BTreeMap;

use datasets::read::Example;
use datasets::sample::Rng;
use serde::Deserialize;

use self::sentence::Sentence;
use crate::tasks::SplitName;
use crate::{Error, Result};

/// Names, and for each its alternatives `a|b|c`.
type Choices = BTreeMap<String, String>;

/// The templates of all tasks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Templates {
    /// The word lists that the tasks share.
    lists: Choices,
    /// The tasks: `travel`, `home` and `media`.
    pub tasks: Vec<TaskTemplates>,
}

/// The templates of one task.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskTemplates {
    /// The name of the task.
    pub name: String,
    /// One template per kind of sentence, all equally likely.
    sentences: Vec<String>,
    /// The values of each slot.
    slots: Choices,
}

impl Templates {
    /// The templates that are part of this program.
    ///
    /// # Errors
    /// [`Error::Config`] if `templates.toml` is not valid.
    pub fn load() -> Result<Self> {
        toml::from_str(include_str!("templates.toml"))
            .map_err(|error| Error::Config(format!("the quickstart's templates.toml: {error}")))
    }

    /// Draws `n` sentences of a task, with repetition. The same arguments give the same sentences on every machine, and
    /// a smaller `n` gives the first of them. Each split is drawn with a seed of its own: 3 · `seed` + 0, 1 or 2.
    ///
    /// # Errors
    /// [`Error::Config`] if a template names a slot or a word list that does not exist.
    pub fn draw(&self, task: &TaskTemplates, split: SplitName, seed: u64, n: usize) -> Result<Vec<Example>> {
        let mut rng = Rng::seeded(seed.wrapping_mul(3).wrapping_add(split as u64));
        let draw = |_| {
            let template = task.sentences.get(rng.below(task.sentences.len())).map_or("", String::as_str);
            let mut sentence = Sentence::new(&self.lists, &task.slots, &mut rng);
            sentence.append(template)?;
            Ok(Example::new(sentence.tokens, sentence.tags))
        };
        (0..n).map(draw).collect()
    }
}

impl TaskTemplates {
    /// The names of the slots, each a single word: the span types of the task.
    pub fn slot_types(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(String::as_str)
    }
}
