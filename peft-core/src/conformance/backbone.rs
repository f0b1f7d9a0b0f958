//! What the checks need from a backbone.

use candle_core::Tensor;

use crate::{ActiveAdapters, Ctx, Error, Result, Sites, Stack, States};

/// The number of rows in the batch of a [`TestBackbone`].
pub const ROWS: usize = 3;

/// A backbone that runs on a fixed batch of [`ROWS`] rows.
pub trait TestBackbone {
    /// Where methods may act.
    fn sites(&self) -> &Sites;

    /// The output for these rows of the batch, `[rows, ..]`.
    ///
    /// # Errors
    /// As the methods' own.
    fn run(&self, rows: &[usize], active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor>;

    /// The output of `stack` for these rows while no method acts, for generators that [need](crate::Needs) it. Default: an error.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the backbone does not give it.
    fn states(&self, stack: &Stack, rows: &[usize], ctx: &mut Ctx) -> Result<States> {
        let _ = (rows, ctx);
        Err(Error::Mismatch(format!("this test backbone does not give the output of the stack {stack} to generators")))
    }

    /// The same backbone with everything merged that can be merged, and the number of sites where that was so. Methods are no
    /// longer called at these sites.
    ///
    /// # Errors
    /// As the methods' own.
    fn merge(&self, active: &ActiveAdapters<'_>) -> Result<(Box<dyn TestBackbone>, usize)>;
}
