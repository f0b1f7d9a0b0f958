//! The memory that several threads write a product to.

/// The memory of a product: rows that begin `stride` numbers apart.
#[derive(Clone, Copy)]
pub(super) struct Output {
    data: *mut f32,
    stride: usize,
}

// SAFETY: tasks write disjoint blocks of it.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

impl Output {
    pub(super) fn new(data: *mut f32, stride: usize) -> Self {
        Self { data, stride }
    }

    /// The address of an element.
    ///
    /// # Safety
    /// The element must be inside the memory.
    pub(super) unsafe fn at(self, row: usize, column: usize) -> *mut f32 {
        // SAFETY: by this function's contract.
        unsafe { self.data.add(row * self.stride + column) }
    }
}
