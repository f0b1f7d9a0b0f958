//! One suite of `reproduce`: its cells, finished or not.

use std::collections::BTreeMap;
use std::path::Path;

use super::model::{Model, Place};
use super::run;
use crate::Result;
use crate::reproduce::tables::SuiteResults;
use crate::reproduce::{CELL_FILE, Cell, CellResult};
use crate::run::RunDir;

/// One suite.
#[derive(Debug)]
pub(in crate::report) struct Suite {
    pub(in crate::report) label: String,
    /// What the folder is for, and the finished cells.
    pub(in crate::report) results: SuiteResults,
    /// The models that are analyzed: of each system and task the finished cell with the most data and the lowest seed.
    pub(in crate::report) models: Vec<Model>,
    pub(in crate::report) notes: Vec<String>,
}

/// The suite in `folder`, called `label`, with the predictions on `split`. `prefix` goes before the names of its systems.
///
/// # Errors
/// If `suite.json`, or a file of a finished cell, cannot be read.
pub(super) fn read(folder: &Path, label: String, prefix: &str, split: &str) -> Result<Suite> {
    let results = SuiteResults::read(folder)?;
    let mut notes = Vec::new();
    notes.extend(progress(&label, folder, &results));
    let mut models = Vec::new();
    for result in analyzed(&results) {
        let key = &result.cell;
        let cell = Cell { system: key.system.clone(), task: key.task.clone(), fraction: key.fraction, seed: key.seed };
        let system = results.record.systems.iter().find(|system| system.name == key.system);
        let title = system.map_or(key.system.as_str(), |system| system.title.as_str());
        let model = run::read(&RunDir::new(cell.folder(folder)), format!("{prefix}{title}"), split)?;
        let place = Place { system: key.system.clone(), fraction: key.fraction, seed: key.seed };
        models.push(Model { place: Some(place), ..model });
    }
    notes.extend(models.iter_mut().flat_map(|model| std::mem::take(&mut model.notes)));
    if let Some(place) = models.iter().find_map(|model| model.place.as_ref()) {
        notes.push(format!(
            "Curves, errors and sentences of {label} are those of seed {}, with {} % of the data where it is finished; scores are those \
             of all seeds.",
            place.seed,
            100. * place.fraction
        ));
    }
    Ok(Suite { label, results, models, notes })
}

/// Of each system and its task the finished cell with the most data, and of these the one with the lowest seed.
fn analyzed(results: &SuiteResults) -> Vec<&CellResult> {
    let mut best: Vec<&CellResult> = Vec::new();
    let is_same = |a: &CellResult, b: &CellResult| a.cell.system == b.cell.system && a.cell.task == b.cell.task;
    for (result, _) in &results.cells {
        match best.iter_mut().find(|kept| is_same(kept, result)) {
            None => best.push(result),
            Some(kept) => {
                let (new, old) = (&result.cell, &kept.cell);
                if new.fraction > old.fraction || (new.fraction == old.fraction && new.seed < old.seed) {
                    *kept = result;
                }
            }
        }
    }
    best
}

/// What is not finished, in words.
fn progress(label: &str, folder: &Path, results: &SuiteResults) -> Option<String> {
    let record = &results.record;
    let mut begun = Vec::new();
    // For each system the cells of one seed and share that were seen, and the seeds and shares in which all of these are finished.
    let mut seen: BTreeMap<&str, BTreeMap<Option<&str>, usize>> = BTreeMap::new();
    for system in &record.systems {
        for task in std::iter::once(None).chain(record.tasks.iter().map(Some)) {
            for (&fraction, &seed) in record.fractions.iter().flat_map(|f| record.seeds.iter().map(move |s| (f, s))) {
                let cell = Cell { system: system.name.clone(), task: task.cloned(), fraction, seed };
                let path = cell.folder(folder);
                if path.join(CELL_FILE).exists() {
                    *seen.entry(&system.name).or_default().entry(task.map(String::as_str)).or_default() += 1;
                } else if path.is_dir() {
                    begun.push(cell.name());
                }
            }
        }
    }
    let rounds = record.fractions.len() * record.seeds.len();
    let is_whole = |system: &str| {
        let Some(tasks) = seen.get(system) else { return false };
        let expected = if tasks.contains_key(&None) { 1 } else { record.tasks.len() };
        tasks.len() == expected && tasks.values().all(|cells| *cells == rounds)
    };
    let missing: Vec<&str> =
        record.systems.iter().filter(|s| !is_whole(&s.name)).map(|system| system.title.as_str()).collect();
    if missing.is_empty() {
        return None;
    }
    let mut note = format!(
        "{label} is not finished: {} cells are done. Cells are missing of {}. Means are over the seeds that are done.",
        results.cells.len(),
        missing.join(", ")
    );
    if !begun.is_empty() {
        note += &format!(" Begun, and not shown: {}.", begun.join(", "));
    }
    Some(note)
}
