//! What a generator needs to see.

use crate::{Condition, Error, Result, Stack};

/// What a generator needs to see, in addition to tasks. Nothing is computed that no generator needs.
///
/// ```
/// use peft_core::{Condition, Needs, Stack};
///
/// let needs = Needs::default().with_states(Stack::ENCODER);
/// assert!(needs.check(&Condition::Task(0)).is_err());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Needs {
    /// Vectors of this many features, which the caller gives ([`Condition::with_vectors`]).
    pub vectors: Option<usize>,
    /// The output of these stacks for the batch, which the backbone computes ([`Backbone::states`](crate::Backbone::states)).
    pub states: Vec<Stack>,
}

impl Needs {
    /// Vectors of `features` features too.
    #[must_use]
    pub fn with_vectors(self, features: usize) -> Self {
        Self { vectors: Some(features), ..self }
    }

    /// The output of `stack` too.
    #[must_use]
    pub fn with_states(mut self, stack: Stack) -> Self {
        self.states.push(stack);
        self
    }

    /// Whether tasks are enough.
    pub fn is_empty(&self) -> bool {
        self.vectors.is_none() && self.states.is_empty()
    }

    /// Whether `condition` holds all of it.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for what is missing, with what to do.
    pub fn check(&self, condition: &Condition) -> Result<()> {
        if let Some(features) = self.vectors {
            let dims = condition.vectors()?.dims();
            if dims.last() != Some(&features) {
                return Err(Error::Mismatch(format!(
                    "the generator needs vectors of {features} features, the condition holds some of shape {dims:?}"
                )));
            }
        }
        self.states.iter().try_for_each(|stack| condition.states(stack).map(|_| ()))
    }
}
