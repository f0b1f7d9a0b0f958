//! What a training step and labelling cost on this machine.

mod labelling;
mod measure;
mod memory;
mod report;

pub use measure::{BenchOptions, bench};
pub use memory::peak_memory;
pub use report::{BenchReport, LabellingReport, Part, Spread};
