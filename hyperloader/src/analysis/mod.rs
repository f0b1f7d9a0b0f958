//! What predictions say about a model: kinds of errors, confusion of types, calibration, and errors by length.
//!
//! Every function is pure: sentences in, numbers out. [docs/report.md] defines each number in words.
//!
//! [docs/report.md]: https://github.com/hyperloader/hyperloader/blob/main/docs/report.md

mod calibration;
mod confusion;
mod curves;
mod lengths;
mod outcome;
mod sentence;
#[cfg(test)]
mod testing;
mod types;

pub use calibration::{Calibration, ConfidenceBin, calibration};
pub use confusion::Confusion;
pub use curves::thinned;
pub use lengths::{LengthBin, by_length};
pub use outcome::{Match, Outcome, compare};
pub use sentence::Sentence;
pub use types::{TypeErrors, error_totals, errors_by_type};
