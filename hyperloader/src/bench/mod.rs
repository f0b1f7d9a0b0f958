//! What a training step costs on this machine, part by part.

mod measure;
mod memory;
mod report;

pub use measure::{BenchOptions, bench};
pub use memory::peak_memory;
pub use report::{BenchReport, Part, Spread};
