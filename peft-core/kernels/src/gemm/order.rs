//! How the elements of a product are summed.

/// How the elements of a product `x W^T` are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// In an order that follows from the weight alone: a row has the same bits whatever other rows there are.
    Independent,
    /// In the order that is fastest for these sizes, for training. The bits still do not depend on the number of threads.
    Fastest,
}

/// With so many rows, packing the weight pays.
#[cfg(target_arch = "x86_64")]
const MANY_ROWS: usize = 1024;

impl Order {
    /// The order for an `x` that is part of a graph, or is not.
    pub(crate) fn of(tracked: bool) -> Self {
        if tracked { Self::Fastest } else { Self::Independent }
    }

    /// Whether a product of `rows` rows should pack the weight.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn packs(self, rows: usize) -> bool {
        self == Self::Fastest && rows >= MANY_ROWS
    }
}
