//! The widths of the hidden state and of bottlenecks.
//!
//! AdapterHub divides the hidden size by `reduction_factor` as Python's `//` does, which sometimes gives one less than the
//! division that [`crate::BottleneckConfig`] makes.

use std::num::NonZeroUsize;

use peft_core::{SiteKind, Sites};

/// The width of the backbone's hidden state.
pub(super) fn hidden_size(sites: &Sites) -> Option<usize> {
    sites.iter().find_map(|site| match site.kind {
        SiteKind::SubLayer { dim } => Some(dim),
        _ => None,
    })
}

/// The width of AdapterHub's bottleneck for a hidden state of width `dim`; it is at least one.
pub(super) fn their_width(factor: f64, dim: usize) -> usize {
    let dim = dim as f64;
    ((dim - dim % factor) / factor).round().max(1.) as usize
}

/// That width where it is not the one that our `reduction_factor` gives.
pub(super) fn width_unlike_ours(factor: f64, sites: &Sites) -> Option<NonZeroUsize> {
    let dim = hidden_size(sites)?;
    let theirs = their_width(factor, dim);
    (factor > 0. && theirs != (dim as f64 / factor) as usize).then(|| NonZeroUsize::new(theirs)).flatten()
}

/// A factor from which AdapterHub computes `width` for a hidden state of width `dim`: `ours` where it does.
pub(super) fn factor_for(ours: f64, width: usize, dim: usize) -> f64 {
    let exact = dim as f64 / width as f64;
    let between = dim as f64 / (width as f64 + 0.5);
    let fits = |factor: &f64| their_width(*factor, dim) == width;
    [ours, exact].into_iter().find(fits).unwrap_or(between)
}
