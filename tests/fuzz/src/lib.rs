//! What the fuzz targets share: limits of memory and time, and the checks of what was read.
//!
//! See `README.md` in this folder.

pub mod limits;
pub mod model;
#[cfg(feature = "tables")]
pub mod parquet;
pub mod proto;
pub mod reading;
pub mod scratch;
pub mod tensors;
pub mod torch;

/// Counts what every target allocates.
#[global_allocator]
static ALLOCATOR: limits::Counting = limits::Counting;
