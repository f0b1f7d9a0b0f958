//! Precision, recall and F1 over whole spans, equal to Python's `seqeval`.
//!
//! A predicted span is correct only if its type, its start and its end are. [`ScoringMode`] says what a span is:
//! `Default` follows the rules of CoNLL's `conlleval` (an `I-X` that continues no span begins one), `Strict` those of
//! IOB2 (only `B-X` begins one). [`score`](score()) scores all sentences at once; [`SpanCounts`] adds them one at a time.
//!
//! ```
//! use datasets::metrics::{ScoringMode, score};
//!
//! let gold = [["B-city", "I-city", "O"], ["O", "O", "B-date"]];
//! let predicted = [["B-city", "I-city", "O"], ["O", "B-date", "I-date"]];
//! let report = score(&gold, &predicted, ScoringMode::Default)?;
//! assert_eq!(report.micro_f1, 0.5);
//! assert_eq!(report.per_type["city"].f1, 1.0);
//! assert_eq!(report.per_type["date"].support, 1);
//! # Ok::<(), datasets::Error>(())
//! ```

mod counts;
mod report;
mod score;
mod spans;

pub use counts::SpanCounts;
pub use report::{SpanReport, TypeScore};
pub use score::score;
pub use spans::{ScoringMode, Span, joined_spans, spans};

/// The old name of [`ScoringMode`].
#[doc(hidden)]
pub use spans::ScoringMode as Mode;
