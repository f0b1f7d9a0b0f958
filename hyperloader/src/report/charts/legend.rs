//! Legends, which the page draws as text.

use serde::Serialize;

use super::ink::{dashes, series_variable};

/// One entry.
#[derive(Debug, Clone, Serialize)]
pub(in crate::report) struct LegendItem {
    label: String,
    color: String,
    dashes: &'static str,
    /// The sign of a point; a line has none.
    sign: Option<String>,
}

impl LegendItem {
    /// The line of the series with `number`.
    pub(super) fn line(label: &str, number: usize) -> Self {
        Self { label: label.to_owned(), color: series_variable(number), dashes: dashes(number), sign: None }
    }

    /// The points with `sign` of the series with `number`.
    pub(super) fn points(label: &str, number: usize, sign: String) -> Self {
        Self { sign: Some(sign), ..Self::line(label, number) }
    }
}
