//! `report`: one page about runs and suites.

use std::io::Write;

use super::args::ReportArgs;
use super::output::Report;
use crate::Result;
use crate::report::{self, ReportOptions};

pub(super) fn report(args: &ReportArgs, out: &mut dyn Write) -> Result<()> {
    let mut told = Report::before_writing(&args.out, out);
    let options = ReportOptions {
        inputs: args.inputs.clone(),
        out: args.out.clone(),
        split: args.split,
        sentences: args.sentences,
    };
    let written = report::report(&options)?;
    let tables: Vec<String> = written.tables.iter().map(|path| path.display().to_string()).collect();
    let tables = if tables.is_empty() { String::new() } else { format!("; tables in {}", tables.join(" and ")) };
    told.line(&format!("{}: {}{tables}", written.page.display(), written.summary))
}
