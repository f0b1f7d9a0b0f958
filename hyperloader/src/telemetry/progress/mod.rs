//! What a person sees while a run goes.

mod lines;
mod meter;
mod view;

pub use view::{Progress, ProgressOptions};
