//! A task as data.

/// A name and the pattern of its values.
pub type Rule = (&'static str, &'static str);

/// The grammar of one sequence-labelling task; [the module](super) tells how patterns are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskGrammar {
    /// The name of the task.
    pub name: &'static str,
    /// The patterns of the sentences, drawn equally often.
    pub sentences: &'static [&'static str],
    /// The slots that `{name}` stands for in a sentence. Their values may use lexicons, but no slots.
    pub slots: &'static [Rule],
    /// The lexicons that `<name>` stands for. A lexicon may use those above it.
    pub lexicons: &'static [Rule],
}

impl TaskGrammar {
    /// The names of the slots: the types of its spans, each a single word.
    pub fn slot_types(&self) -> impl Iterator<Item = &'static str> {
        self.slots.iter().map(|&(name, _)| name)
    }
}
