//! The cost of a training step and of labelling on this machine.

mod labelling;
mod measure;
mod memory;
mod report;
mod spans;

pub use measure::{BenchOptions, bench};
pub use memory::peak_memory;
use memory::{device_memory, device_name};
pub use report::{BenchReport, LabellingReport, PARTS, Spread};
