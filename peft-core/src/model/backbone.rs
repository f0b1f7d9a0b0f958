//! The trait that a model implements so that [`PeftModel`](crate::PeftModel) can put methods on it.

use std::collections::BTreeMap;
use std::fmt;

use candle_core::{Device, Tensor};

use crate::{ActiveAdapters, BatchAdapters, Ctx, Error, ParamStore, Result, Sites, Stack, States};

/// A model that names its sites and calls the methods there.
///
/// A backbone has no hidden state: methods, mode and random numbers are arguments of its forward pass.
pub trait Backbone: Sized {
    /// The input of one training step.
    type Batch;

    /// The places where methods may act, in the order of the forward pass.
    fn sites(&self) -> &Sites;

    /// The folder or the name from which the backbone can be opened again, if there is one.
    fn name(&self) -> Option<&str> {
        None
    }

    /// The device of the parameters.
    fn device(&self) -> &Device;

    /// All parameters by their names in checkpoints. Those that train are variables.
    ///
    /// # Errors
    /// If a parameter cannot be read.
    fn parameters(&self) -> Result<BTreeMap<String, Tensor>>;

    /// The same model with the parameters whose names `covers` accepts as variables of `store`. They start at the store's given
    /// values ([`ParamStore::from_tensors`]) if it has any, otherwise at their current values.
    ///
    /// # Errors
    /// If the store has given values and one is missing or has another shape.
    fn train(self, covers: &dyn Fn(&str) -> bool, store: &ParamStore) -> Result<Self>;

    /// The loss of one batch, a scalar of the gradient graph.
    ///
    /// # Errors
    /// If the batch does not fit the model; or as the active methods do.
    fn loss(&self, batch: &Self::Batch, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor>;

    /// Whether [`states`](Self::states) gives the output of `stack`. Default: no.
    fn gives_states(&self, stack: &Stack) -> bool {
        let _ = stack;
        false
    }

    /// The output of `stack` for `batch`, so that weights can be generated from it before the rest of the forward pass. It is part
    /// of the gradient graph. It is asked only for what a generator [needs](crate::Needs).
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the backbone does not give the output of this stack; otherwise as [`loss`](Self::loss).
    fn states(&self, stack: &Stack, batch: &Self::Batch, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<States> {
        let _ = (batch, active, ctx);
        Err(Error::Mismatch(format!("this backbone does not give the output of the stack {stack} to generators")))
    }

    /// [`loss`](Self::loss) with the adapters of this batch. A backbone that [gives states](Self::states) can go on from those that
    /// the adapters hold. Default: `loss`, which computes everything.
    ///
    /// # Errors
    /// As [`loss`](Self::loss).
    fn loss_with(&self, batch: &Self::Batch, adapters: &BatchAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        self.loss(batch, &adapters.active, ctx)
    }

    /// A new model, detached from the gradient graph, with `W + ΔW` in place of `W` where the active methods can be merged.
    /// Methods that cannot be merged are listed with the reason. They still act if `active` is passed to the new model.
    ///
    /// # Errors
    /// As the methods' own.
    fn merge_and_unload(&self, active: &ActiveAdapters<'_>) -> Result<Merged<Self>>;
}

/// A model after methods were merged into its weights, or removed from them.
#[derive(Debug, Clone)]
#[must_use = "the original model is unchanged"]
pub struct Merged<B> {
    /// The new model. The original is unchanged.
    pub model: B,
    /// Where methods could not be merged or unmerged, in the order of the sites.
    pub refused: Vec<Refusal>,
}

/// A site where methods could not be merged or unmerged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The path of the site.
    pub site: String,
    /// Which method, and why.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
