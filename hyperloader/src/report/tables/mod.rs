//! The tables of the page, which are also its CSV and Markdown.

mod analysis;
mod calibration;
mod cell;
mod confusion;
mod csv;
mod curves;
mod differences;
mod lengths;
mod markdown;
mod runs;
mod suite;
mod table;

pub(super) use analysis::{outcomes, types};
pub(super) use calibration::calibration_table;
pub(super) use cell::Cell;
pub(super) use confusion::{confusion, mistaken};
pub(super) use csv::{CSV_HEAD, to_csv};
pub(super) use curves::curve_table;
pub(super) use differences::differences;
pub(super) use lengths::length_table;
pub(super) use markdown::{MARKDOWN_HEAD, to_markdown};
pub(super) use runs::run_table;
pub(super) use suite::{shares, suite_tables};
pub(super) use table::Table;
