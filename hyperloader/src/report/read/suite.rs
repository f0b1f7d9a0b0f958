//! One suite of `reproduce`: its cells, finished or not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use peft_files::read_json;
use serde::Deserialize;

use super::model::{Cell, Model};
use super::{SUITE_FILE, run};
use crate::run::RunDir;
use crate::{Error, Result};

/// The file that makes a cell a finished one.
const CELL_FILE: &str = "cell.json";

/// One suite.
#[derive(Debug)]
pub(in crate::report) struct Suite {
    pub(in crate::report) label: String,
    /// What `suite.json` says.
    pub(in crate::report) plan: SuitePlan,
    /// The finished cells.
    pub(in crate::report) cells: Vec<FinishedCell>,
    /// The models that are analyzed: of each system and task the finished cell with the most data and the lowest seed.
    pub(in crate::report) models: Vec<Model>,
    pub(in crate::report) notes: Vec<String>,
}

/// The parts of `suite.json` that the page shows.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::report) struct SuitePlan {
    pub(in crate::report) suite: String,
    #[serde(default)]
    pub(in crate::report) scale: String,
    #[serde(default)]
    pub(in crate::report) command: Option<serde_json::Value>,
    #[serde(default)]
    pub(in crate::report) version: Option<String>,
}

impl SuitePlan {
    /// The command that made the suite, as one line.
    pub(in crate::report) fn command(&self) -> Option<String> {
        match self.command.as_ref()? {
            serde_json::Value::String(line) => Some(line.clone()),
            serde_json::Value::Array(words) => {
                Some(words.iter().filter_map(|word| word.as_str()).collect::<Vec<_>>().join(" "))
            }
            _ => None,
        }
    }
}

/// The parts of `cell.json` that the page shows.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::report) struct FinishedCell {
    pub(in crate::report) system: String,
    pub(in crate::report) tasks: Vec<String>,
    pub(in crate::report) fraction: f64,
    pub(in crate::report) seed: u64,
    pub(in crate::report) trainable: usize,
    #[serde(default)]
    pub(in crate::report) total: Option<usize>,
    /// By task and protocol.
    pub(in crate::report) scores: BTreeMap<String, BTreeMap<String, CellScore>>,
}

/// The part of a score that the page shows.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(in crate::report) struct CellScore {
    /// In [0, 1].
    pub(in crate::report) micro_f1: f64,
}

/// The suite in `folder`, called `label`, with the predictions on `split`. `prefix` goes before the names of its systems.
///
/// # Errors
/// If `suite.json`, or a file of a finished cell, cannot be read.
pub(super) fn read(folder: &Path, label: String, prefix: &str, split: &str) -> Result<Suite> {
    let plan: SuitePlan = read_json(folder.join(SUITE_FILE))?;
    let (mut cells, mut unfinished) = (Vec::new(), Vec::new());
    for folder in cell_folders(&folder.join("cells"))? {
        let file = folder.join(CELL_FILE);
        match file.is_file() {
            true => cells.push((folder, read_json::<FinishedCell>(&file)?)),
            false => unfinished.push(folder),
        }
    }
    let mut notes = progress(&label, folder, cells.len(), &unfinished);
    let mut models = Vec::new();
    for (folder, cell) in analyzed(&cells) {
        let model = run::read(&RunDir::new(folder), format!("{prefix}{}", cell.system), split)?;
        let place = Cell { system: cell.system.clone(), fraction: cell.fraction, seed: cell.seed };
        models.push(Model { cell: Some(place), ..model });
    }
    notes.extend(models.iter_mut().flat_map(|model| std::mem::take(&mut model.notes)));
    let cells = cells.into_iter().map(|(_, cell)| cell).collect();
    Ok(Suite { label, plan, cells, models, notes })
}

/// `cells/<system>/<task or all>/<fraction>/seed-<n>`, in the order of their names.
fn cell_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut level = vec![root.to_path_buf()];
    for _ in 0..4 {
        let mut next = Vec::new();
        for folder in level {
            if folder.is_dir() {
                let entries = std::fs::read_dir(&folder).map_err(|source| Error::io(&folder, source))?;
                // Hidden folders and those that are being written are no cells.
                let is_cell = |path: &PathBuf| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    path.is_dir() && !name.starts_with('.') && !name.contains(".tmp-")
                };
                next.extend(entries.flatten().map(|entry| entry.path()).filter(is_cell));
            }
        }
        next.sort();
        level = next;
    }
    Ok(level)
}

/// Of each system and its tasks the cell with the most data, and of these the one with the lowest seed.
fn analyzed(cells: &[(PathBuf, FinishedCell)]) -> Vec<&(PathBuf, FinishedCell)> {
    let mut best: BTreeMap<(&str, &[String]), &(PathBuf, FinishedCell)> = BTreeMap::new();
    for entry in cells {
        let cell = &entry.1;
        let kept = best.entry((cell.system.as_str(), cell.tasks.as_slice())).or_insert(entry);
        if cell.fraction > kept.1.fraction || (cell.fraction == kept.1.fraction && cell.seed < kept.1.seed) {
            *kept = entry;
        }
    }
    best.into_values().collect()
}

fn progress(label: &str, root: &Path, finished: usize, unfinished: &[PathBuf]) -> Vec<String> {
    let name = |folder: &PathBuf| folder.strip_prefix(root.join("cells")).unwrap_or(folder).display().to_string();
    match (finished, unfinished) {
        (0, []) => vec![format!("{label}: no cell of this suite has begun.")],
        (_, []) => Vec::new(),
        (_, cells) => vec![format!(
            "{label} is not finished: {finished} cells are done, {} were begun and are not shown: {}.",
            cells.len(),
            cells.iter().map(name).collect::<Vec<_>>().join(", ")
        )],
    }
}
