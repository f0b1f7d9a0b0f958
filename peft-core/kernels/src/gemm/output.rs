//! The memory that several threads write a product to.

/// The memory of a product: rows that begin `stride` numbers apart. The product is added to what they hold, or replaces it.
#[derive(Clone, Copy)]
pub(super) struct Output {
    data: *mut f32,
    stride: usize,
    pub(super) accumulate: bool,
}

// SAFETY: tasks write disjoint blocks of it.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

impl Output {
    pub(super) fn new(data: *mut f32, stride: usize) -> Self {
        Self { data, stride, accumulate: false }
    }

    /// The same memory, to which a product is added if `accumulate`.
    pub(super) fn accumulate(self, accumulate: bool) -> Self {
        Self { accumulate, ..self }
    }

    /// The address of the first element.
    pub(super) fn data(self) -> *mut f32 {
        self.data
    }

    /// The distance between rows.
    pub(super) fn stride(self) -> usize {
        self.stride
    }

    /// The address of an element.
    ///
    /// # Safety
    /// The element must be inside the memory.
    #[cfg(target_arch = "x86_64")]
    pub(super) unsafe fn at(self, row: usize, column: usize) -> *mut f32 {
        // SAFETY: by this function's contract.
        unsafe { self.data.add(row * self.stride + column) }
    }
}
