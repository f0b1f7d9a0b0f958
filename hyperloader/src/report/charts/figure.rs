//! A chart with what is said about it.

use serde::Serialize;

use super::LegendItem;

/// A chart.
#[derive(Debug, Clone, Serialize)]
pub(in crate::report) struct Figure {
    pub(in crate::report) title: String,
    /// What a reader who does not see the chart is told.
    pub(in crate::report) description: String,
    pub(in crate::report) legend: Vec<LegendItem>,
    pub(in crate::report) svg: String,
}
