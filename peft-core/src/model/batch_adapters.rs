//! The active adapters of one batch.

use crate::{ActiveAdapters, Stack, States};

/// The active adapters of one batch: what [`PeftModel::prepare`](crate::PeftModel::prepare) returns and [`Backbone::loss_with`](crate::Backbone::loss_with) takes.
#[derive(Debug, Clone)]
pub struct BatchAdapters<'a> {
    /// The adapters with their weights for this batch.
    pub active: ActiveAdapters<'a>,
    /// States of the batch that a forward pass with `active` would compute again, because no generated weight acts before the end
    /// of their stack. The forward pass may go on from them.
    pub states: Vec<States>,
}

impl BatchAdapters<'_> {
    /// The output of `stack`, if a forward pass may go on from it.
    pub fn states(&self, stack: &Stack) -> Option<&States> {
        self.states.iter().find(|states| states.stack() == stack)
    }
}
