//! What the checks need from a backbone.

use candle_core::Tensor;

use crate::{ActiveAdapters, Ctx, Result, Sites};

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

    /// The same backbone with everything merged that can be merged, and the number of sites where that was so. Methods are no
    /// longer called at these sites.
    ///
    /// # Errors
    /// As the methods' own.
    fn merge(&self, active: &ActiveAdapters<'_>) -> Result<(Box<dyn TestBackbone>, usize)>;
}
