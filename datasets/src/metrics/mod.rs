//! How many spans were found: precision, recall and F1 over whole spans, equal to Python's `seqeval`.
//!
//! A span counts only if its type and both its borders are right. [`Mode`] says what a span is: `Default`
//! follows the rules of CoNLL's `conlleval` (an `I-X` that continues nothing begins a span), `Strict` those of
//! IOB2 (only `B-X` begins one). [`score`] gives everything at once; [`SpanCounts`] adds sentences as they
//! come.
//!
//! ```
//! use datasets::metrics::{Mode, score};
//!
//! let gold = [["B-city", "I-city", "O"], ["O", "O", "B-date"]];
//! let predicted = [["B-city", "I-city", "O"], ["O", "B-date", "I-date"]];
//! let report = score(&gold, &predicted, Mode::Default)?;
//! assert_eq!(report.micro_f1, 0.5);
//! assert_eq!(report.per_type["city"].f1, 1.0);
//! assert_eq!(report.per_type["date"].support, 1);
//! # Ok::<(), datasets::Error>(())
//! ```

mod counts;
mod report;
mod spans;

pub use counts::{SpanCounts, score};
pub use report::{SpanReport, TypeScore};
pub use spans::{Mode, Span, joined_spans, spans};
