//! One cell of a table.

use serde::{Serialize, Serializer};

/// One cell: its text, and for a number also its value.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::report) struct Cell {
    pub(in crate::report) text: String,
    /// The number that CSV holds and sorting goes by.
    pub(in crate::report) value: Option<f64>,
    /// The standard deviation over seeds, if there are several.
    pub(in crate::report) spread: Option<f64>,
    /// The length of the bar in the cell, in [0, 1].
    pub(in crate::report) bar: Option<f64>,
    /// How much color the cell gets, in [0, 1].
    pub(in crate::report) shade: Option<f64>,
    /// Whether the color says that something is right.
    pub(in crate::report) right: bool,
}

impl Cell {
    pub(in crate::report) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// No value.
    pub(in crate::report) fn none() -> Self {
        Self::text("–")
    }

    pub(in crate::report) fn count(count: usize) -> Self {
        Self { text: count.to_string(), value: Some(count as f64), ..Self::default() }
    }

    pub(in crate::report) fn number(value: f64, digits: usize) -> Self {
        Self { text: format!("{value:.digits$}"), value: Some(value), ..Self::default() }
    }

    /// A share in [0, 1], in percent.
    pub(in crate::report) fn percent(share: f64) -> Self {
        Self::number(100. * share, 2)
    }

    /// Percent with a bar.
    pub(in crate::report) fn bar(share: f64) -> Self {
        Self { bar: Some(share.clamp(0., 1.)), ..Self::percent(share) }
    }

    /// The classes that color the cell.
    pub(in crate::report) fn class(&self) -> &'static str {
        match (self.value, self.shade, self.right) {
            (_, Some(_), true) => "n shade right",
            (_, Some(_), false) => "n shade",
            (Some(_), None, _) => "n",
            (None, None, _) => "",
        }
    }

    /// The number that sorting goes by, where the text is not that number.
    pub(in crate::report) fn sort_key(&self) -> Option<f64> {
        self.value.filter(|value| self.text.parse() != Ok(*value) && self.spread.is_some())
    }
}

impl Serialize for Cell {
    /// What the template needs.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            text: &'a str,
            class: &'static str,
            sort: Option<f64>,
            bar: Option<String>,
            shade: Option<String>,
        }
        let short = |share: f64| format!("{share:.3}");
        let (bar, shade) = (self.bar.map(short), self.shade.map(short));
        Shown { text: &self.text, class: self.class(), sort: self.sort_key(), bar, shade }.serialize(serializer)
    }
}
