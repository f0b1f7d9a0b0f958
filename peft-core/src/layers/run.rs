//! What every layer of a forward pass gets.

use crate::{ActiveAdapters, Ctx};

/// What every layer of a forward pass gets: the methods that act at its sites, and the context.
#[derive(Debug)]
pub struct Run<'a> {
    /// The methods.
    pub active: &'a ActiveAdapters<'a>,
    /// Mode, random numbers, choice of kernels.
    pub ctx: &'a mut Ctx,
}
