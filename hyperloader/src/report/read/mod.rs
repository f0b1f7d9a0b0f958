//! What the folders of runs and suites hold.

mod curves;
mod labels;
mod model;
mod parameters;
mod predictions;
mod run;
mod suite;

pub(super) use curves::Curves;
pub(super) use model::Model;
pub(super) use suite::Suite;

use std::path::Path;

use super::ReportOptions;
use crate::reproduce::SUITE_FILE;
use crate::run::RunDir;
use crate::{Error, Result};

/// One argument of the command.
#[derive(Debug)]
pub(super) enum Source {
    Run(Box<Model>),
    Suite(Box<Suite>),
}

impl Source {
    pub(super) fn models(&self) -> &[Model] {
        match self {
            Self::Run(model) => std::slice::from_ref(&**model),
            Self::Suite(suite) => &suite.models,
        }
    }

    /// What the reader should know about the source.
    pub(super) fn notes(&self) -> &[String] {
        match self {
            Self::Run(model) => &model.notes,
            Self::Suite(suite) => &suite.notes,
        }
    }
}

/// Reads every input of `options`.
///
/// # Errors
/// [`Error::Config`] if there is no input, or one is neither run nor suite; the error of a file that cannot be read.
pub(super) fn sources(options: &ReportOptions) -> Result<Vec<Source>> {
    let labels = labels::labels(&options.inputs);
    let split = options.split.to_string();
    let source = |(path, label): (&std::path::PathBuf, String)| match kind(path)? {
        Kind::Run => Ok(Source::Run(Box::new(run::read(&RunDir::new(path), label, &split)?))),
        Kind::Suite => {
            // Where other models are shown too, a system is named with its suite.
            let prefix = if options.inputs.len() > 1 { format!("{label}/") } else { String::new() };
            Ok(Source::Suite(Box::new(suite::read(path, label, &prefix, &split)?)))
        }
    };
    if options.inputs.is_empty() {
        return Err(Error::Config("nothing to report on: name the folder of a run or a suite".to_owned()));
    }
    options.inputs.iter().zip(labels).map(source).collect()
}

enum Kind {
    Run,
    Suite,
}

fn kind(path: &Path) -> Result<Kind> {
    let reason = match (path.join(SUITE_FILE).is_file(), RunDir::new(path).config().is_file()) {
        (true, _) => return Ok(Kind::Suite),
        (false, true) => return Ok(Kind::Run),
        _ if path.is_dir() => "it has neither a config.toml nor a suite.json",
        _ if path.exists() => "it is a file",
        _ => "there is no such folder",
    };
    let path = path.display();
    Err(Error::Config(format!(
        "{path} is neither a run nor a suite: {reason}; give a folder that train or reproduce wrote"
    )))
}
