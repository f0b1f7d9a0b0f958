//! The task that a labeller labels for.

use datasets::encode::EncodeOptions;
use datasets::labels::{INSIDE, OUTSIDE, TagSet, TagWords};
use datasets::words::WordSplitter;

use crate::Result;

/// One task of a model: its name, its tags, and how its sentences become token ids.
///
/// ```
/// use hyperloader::label::LabelTask;
/// let task = LabelTask::new("ner", &["B-city", "I-city", "O"])?;
/// assert_eq!(task.tags, ["I", "O", "city"]);
/// assert_eq!(LabelTask::new("ner", &["city"])?.tags, ["I", "O", "city"]);
/// # Ok::<(), hyperloader::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LabelTask {
    /// The name that the model knows the task by.
    pub name: String,
    /// The simplified tags (span types, `O` and `I`), which structured decoding chooses from; free decoding needs none.
    pub tags: Vec<String>,
    /// The words that the model writes for tags. Default: the tags themselves.
    pub words: TagWords,
    /// The lengths and the prefix that the model was trained with. Default: 128 tokens and no prefix.
    pub encoding: EncodeOptions,
    /// How raw text becomes words, and how the model reads words. Default: words are between white space, and are read as they are.
    pub splitter: WordSplitter,
}

impl LabelTask {
    /// The task called `name` whose tags are `tags`: BIO tags (`B-city`, `I-city`, `O`) or span types (`city`).
    ///
    /// `O` and `I` are added if they are missing.
    ///
    /// # Errors
    /// If a tag is malformed: an empty type, or a type called `O` or `I`.
    pub fn new<T: AsRef<str>>(name: impl Into<String>, tags: &[T]) -> Result<Self> {
        let types = tags.iter().filter_map(|tag| match tag.as_ref() {
            OUTSIDE | INSIDE => None,
            tag => Some(format!("B-{}", tag.strip_prefix("B-").or(tag.strip_prefix("I-")).unwrap_or(tag))),
        });
        let set = TagSet::of_tags(types)?;
        let mut tags: Vec<String> = set.types().chain([OUTSIDE, INSIDE]).map(str::to_owned).collect();
        tags.sort();
        let (words, encoding, splitter) = (TagWords::default(), EncodeOptions::default(), WordSplitter::default());
        Ok(Self { name: name.into(), tags, words, encoding, splitter })
    }

    /// Sets the words that the model writes for tags.
    #[must_use]
    pub fn words(self, words: TagWords) -> Self {
        Self { words, ..self }
    }

    /// Sets the lengths and the prefix that the model was trained with.
    #[must_use]
    pub fn encoding(self, encoding: EncodeOptions) -> Self {
        Self { encoding, ..self }
    }

    /// Sets how raw text becomes words, and how the model reads words.
    #[must_use]
    pub fn splitter(self, splitter: WordSplitter) -> Self {
        Self { splitter, ..self }
    }
}
