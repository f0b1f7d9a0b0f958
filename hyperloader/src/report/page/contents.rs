//! Everything that is on the page.

use serde::Serialize;

use super::overview::{Input, inputs};
use super::render::render;
use super::results::{Results, results};
use super::study::{Study, studies};
use crate::Result;
use crate::report::ReportOptions;
use crate::report::browser::{BrowserData, browser_data};
use crate::report::read::Source;
use crate::report::subject::subjects;
use crate::report::tables::{Table, to_csv, to_markdown};

/// Everything that is on the page.
#[derive(Debug, Serialize)]
pub(in crate::report) struct Page {
    title: String,
    version: &'static str,
    split: String,
    inputs: Vec<Input>,
    notes: Vec<String>,
    results: Results,
    studies: Vec<Study>,
    #[serde(skip)]
    browser: BrowserData,
}

impl Page {
    /// The page about `sources`.
    ///
    /// # Errors
    /// If a chart cannot be drawn.
    pub(in crate::report) fn new(sources: &[Source], options: &ReportOptions) -> Result<Self> {
        let subjects = subjects(sources);
        let browser = browser_data(&subjects, options.sentences);
        let split = options.split.to_string();
        let mut notes: Vec<String> = sources.iter().flat_map(Source::notes).cloned().collect();
        let doubled: Vec<&str> =
            browser.corpora.iter().map(|corpus| corpus.name.as_str()).filter(|name| name.ends_with(')')).collect();
        if !doubled.is_empty() {
            notes.push(format!(
                "Runs have different sentences under the same task name, so their scores cannot be compared: {}.",
                doubled.join(", ")
            ));
        }
        Ok(Self {
            title: title(sources),
            version: env!("CARGO_PKG_VERSION"),
            inputs: inputs(sources),
            notes,
            results: results(sources, &split)?,
            studies: studies(&subjects)?,
            browser,
            split,
        })
    }

    /// The page as HTML.
    ///
    /// # Errors
    /// If the template cannot be filled.
    pub(in crate::report) fn html(&self) -> Result<String> {
        render(self, &self.browser)
    }

    /// Its tables as CSV.
    pub(in crate::report) fn csv(&self) -> String {
        to_csv(self.tables())
    }

    /// Its tables as Markdown.
    pub(in crate::report) fn markdown(&self) -> String {
        to_markdown(&self.title, self.tables())
    }

    /// How many models, tasks with predictions and sentences it shows, in words.
    pub(in crate::report) fn summary(&self) -> String {
        let sentences: usize = self.browser.corpora.iter().map(|corpus| corpus.len()).sum();
        format!("{} inputs, {} labelled corpora, {sentences} sentences", self.inputs.len(), self.browser.corpora.len())
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.results.tables.iter().chain(self.studies.iter().flat_map(Study::tables))
    }
}

fn title(sources: &[Source]) -> String {
    let name = |source: &Source| match source {
        Source::Run(model) => model.label.clone(),
        Source::Suite(suite) => suite.label.clone(),
    };
    let names: Vec<String> = sources.iter().map(name).collect();
    match names.as_slice() {
        [] => "HyperLoader report".to_owned(),
        names if names.len() <= 3 => format!("HyperLoader report: {}", names.join(", ")),
        names => format!("HyperLoader report: {} runs and suites", names.len()),
    }
}
