//! The files of a report.

use std::io::Write;
use std::path::{Path, PathBuf};

use peft_files::{create_folders, is_stdout, parent, stage, write_atomic};

use super::page::Page;
use super::tables::{CSV_HEAD, MARKDOWN_HEAD};
use crate::{Error, Result};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub page: PathBuf,
    /// Its tables as CSV and Markdown; none if the page went to stdout.
    pub tables: Vec<PathBuf>,
    /// What the page shows, in words.
    pub summary: String,
}

/// Where a report goes.
#[derive(Debug)]
pub(super) struct Targets {
    page: PathBuf,
    /// CSV and Markdown.
    tables: Option<(PathBuf, PathBuf)>,
}

impl Targets {
    /// The files of a page at `out`.
    ///
    /// # Errors
    /// [`Error::Config`] if `out` does not end in `.html`, or if a file with the name of a table was not written by a report.
    pub(super) fn check(out: &Path) -> Result<Self> {
        if is_stdout(out) {
            return Ok(Self { page: out.to_path_buf(), tables: None });
        }
        let is_html =
            out.extension().is_some_and(|end| end.eq_ignore_ascii_case("html") || end.eq_ignore_ascii_case("htm"));
        let fault = match (is_html, out.is_dir()) {
            (false, _) => "the page needs a name that ends in .html, for example report.html",
            (true, true) => "this is a folder; name a file",
            (true, false) => {
                let (csv, markdown) = (out.with_extension("csv"), out.with_extension("md"));
                require_own(&csv, &CSV_HEAD.join(","))?;
                require_own(&markdown, MARKDOWN_HEAD)?;
                return Ok(Self { page: out.to_path_buf(), tables: Some((csv, markdown)) });
            }
        };
        Err(Error::setting("--out", format!("{}: {fault}", out.display())))
    }

    /// Writes the files. All are written before the first takes its place.
    ///
    /// # Errors
    /// If a file cannot be written; older files stay then.
    pub(super) fn write(self, page: &Page) -> Result<Written> {
        let html = page.html()?;
        let summary = page.summary();
        let Some((csv, markdown)) = self.tables else {
            write_atomic(&self.page, |file| file.write_all(html.as_bytes()))?;
            return Ok(Written { page: self.page, tables: Vec::new(), summary });
        };
        let made = create_folders(parent(&self.page))?;
        let files = [(&self.page, html), (&csv, page.csv()), (&markdown, page.markdown())];
        let mut staged = Vec::new();
        for (path, text) in files {
            staged.push(stage(path, |file| file.write_all(text.as_bytes()))?.0);
        }
        for file in staged {
            file.commit()?;
        }
        made.keep();
        Ok(Written { page: self.page, tables: vec![csv, markdown], summary })
    }
}

/// Refuses a file at `path` that does not begin with the line `first`.
fn require_own(path: &Path, first: &str) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let is_own = std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(first.as_bytes()));
    match is_own {
        true => Ok(()),
        false => Err(Error::setting(
            "--out",
            format!("{} exists and was not written by a report; give another name, or move that file", path.display()),
        )),
    }
}
