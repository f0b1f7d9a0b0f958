//! The error type of this crate.

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a configuration and a forward pass. Every message names what caused it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A method was configured for sites that the backbone does not have.
    #[error("{peft_type}: no site of this backbone matches target_modules {targets}; near misses: {}", list(near))]
    NoSiteMatched {
        /// The `peft_type` of the configuration.
        peft_type: String,
        /// Its `target_modules`, as written.
        targets: String,
        /// The names of sites that look most like it.
        near: Vec<String>,
    },
    /// A method acts on activations, and the backbone offers only weights.
    #[error(
        "{peft_type}: it acts on activations (outputs of sub-layers, keys and values, or embedded tokens), and this backbone offers \
         only its weights, as every wrapped model does; take a method that changes weights (LoRA, DoRA, IA3, ...), or a backbone that \
         calls its sites, such as T5 or your own type that implements `Backbone`"
    )]
    ActsOnActivations {
        /// The `peft_type` of the configuration.
        peft_type: String,
    },
    /// A field of a method's or a generator's configuration has a value that cannot work.
    #[error("{kind}: {field} {reason}")]
    InvalidConfig {
        /// The `peft_type` or `generator`.
        kind: String,
        /// The field.
        field: &'static str,
        /// What was found, and what was expected.
        reason: String,
    },
    /// Two methods want a weight of the same name at the same site.
    #[error("two methods claim the weight {key:?}; give a site to one of them only")]
    DuplicateKey {
        /// The full name of the weight.
        key: String,
    },
    /// A weight has the wrong shape.
    #[error("{key}: expected shape {expected:?}, found {found:?}")]
    ShapeMismatch {
        /// The full name of the weight.
        key: String,
        /// The shape that the plan asks for.
        expected: Vec<usize>,
        /// The shape that was given.
        found: Vec<usize>,
    },
    /// Weights that the model needs are not in the file or map that was loaded.
    #[error("missing weights: {}", list(keys))]
    MissingKeys {
        /// Their full names.
        keys: Vec<String>,
    },
    /// Weights were given that the model does not use.
    #[error("unknown weights: {}; the model was built from another configuration", list(keys))]
    UnknownKeys {
        /// Their full names.
        keys: Vec<String>,
    },
    /// A task that the generator does not know.
    #[error("unknown task {task:?}; known: {}", list(known))]
    UnknownTask {
        /// The name or the number that was asked for.
        task: String,
        /// The names that are known.
        known: Vec<String>,
    },
    /// A file or folder cannot be read or written, or does not hold what it should.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file or folder.
        path: std::path::PathBuf,
        /// What was expected, and what was found.
        reason: String,
    },
    /// A plan, weights and a backbone that do not fit each other.
    #[error("{0}")]
    Mismatch(String),
    /// Gradients are missing or wrong ([`GradientReport`](crate::gradients::GradientReport)). The message names variables and
    /// operations.
    #[error("{0}")]
    Gradients(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// An [`Error::InvalidConfig`]: the `field` of the method or generator `kind`, and what is wrong with it.
    pub fn invalid(kind: impl Into<String>, field: &'static str, reason: impl Into<String>) -> Self {
        Self::InvalidConfig { kind: kind.into(), field, reason: reason.into() }
    }

    /// An [`Error::File`] at `path`.
    pub fn file(path: impl AsRef<std::path::Path>, reason: impl ToString) -> Self {
        Self::File { path: path.as_ref().to_path_buf(), reason: reason.to_string() }
    }
}

/// The first few of `names`, and how many more there are.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let head: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n > SHOWN => format!("{} and {} more", head.join(", "), n - SHOWN),
        _ => head.join(", "),
    }
}
