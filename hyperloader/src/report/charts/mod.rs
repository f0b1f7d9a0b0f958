//! The charts of the page: SVG whose colors are CSS variables.

mod canvas;
mod figure;
mod ink;
mod legend;
mod lengths;
mod lines;
mod reliability;
mod scatter;

pub(super) use figure::Figure;
pub(super) use legend::LegendItem;
pub(super) use lengths::length_chart;
pub(super) use lines::{Line, line_chart};
pub(super) use reliability::reliability_diagram;
pub(super) use scatter::{Point, scatter_chart};
