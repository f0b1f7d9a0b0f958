//! The corpus of a `[[tasks]]` table.

use datasets::encode::EncodeOptions;
use datasets::labels::{TagMap, TagWords};
use datasets::read::ReadOptions;
use datasets::words::WordSplitter;

use super::root::Config;
use super::task::TaskConfig;
use crate::Result;
use crate::tasks::Corpus;

impl Config {
    /// The corpus of `task`, one of the configuration's tasks.
    ///
    /// # Errors
    /// If two of its tags would be written with one word, a rule of its `tag_map` is malformed, or `data.words` is.
    pub fn corpus(&self, task: &TaskConfig) -> Result<Corpus> {
        let index = self.tasks.iter().position(|own| own.name == task.name);
        Ok(Corpus {
            key: index.map_or_else(|| "tasks".to_owned(), |index| format!("tasks.{index}")),
            name: task.name.clone(),
            train: task.train.clone(),
            validation: task.validation.clone(),
            test: task.test.clone(),
            reading: ReadOptions {
                format: task.format,
                on_bad_line: self.data.on_bad_line,
                tokens_column: task.tokens_column.clone(),
                tags_column: task.tags_column.clone(),
                scheme: task.scheme,
                tag_names: task.tag_names.clone(),
                encoding: task.encoding,
            },
            encoding: EncodeOptions {
                max_source_length: self.data.max_source_length.get(),
                max_target_length: self.data.max_target_length.get(),
                prefix: task.prefix.clone().unwrap_or_default(),
            },
            tag_map: TagMap::new(task.tag_map.clone())?,
            words: TagWords::new(task.tag_words.clone())?,
            splitter: WordSplitter::new(&self.data.words)?,
            fraction: self.data.fraction,
            seed: self.seed,
        })
    }
}
