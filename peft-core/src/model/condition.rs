//! A task by name or by number.

use crate::{Condition, Result, Tasks};

/// A task of a model: its name, its number, or a whole [`Condition`].
pub trait IntoCondition {
    /// The condition for a model with these tasks.
    ///
    /// # Errors
    /// [`Error::UnknownTask`](crate::Error::UnknownTask) for a name or a number that is not among them.
    fn into_condition(self, tasks: &Tasks) -> Result<Condition>;
}

impl IntoCondition for &str {
    fn into_condition(self, tasks: &Tasks) -> Result<Condition> {
        Ok(Condition::Task(tasks.index(self)?))
    }
}

impl IntoCondition for usize {
    fn into_condition(self, tasks: &Tasks) -> Result<Condition> {
        tasks.get(tasks.names(), self)?;
        Ok(Condition::Task(self))
    }
}

impl IntoCondition for Condition {
    fn into_condition(self, _: &Tasks) -> Result<Condition> {
        Ok(self)
    }
}

impl IntoCondition for &Condition {
    fn into_condition(self, _: &Tasks) -> Result<Condition> {
        Ok(self.clone())
    }
}
