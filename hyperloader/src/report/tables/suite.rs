//! The scores of a suite, as the paper lays them out.

use std::collections::{BTreeMap, BTreeSet};

use super::runs::share;
use super::{Cell, Table};
use crate::report::read::{FinishedCell, Suite};

/// The scores of one system on one task, one for each seed, in percent.
type Seeds = Vec<f64>;

/// One table for each protocol and share of the data: a row for each task, a column for each system.
pub(in crate::report) fn suite_tables(suite: &Suite) -> Vec<Table> {
    let mut tables = Vec::new();
    for fraction in fractions(&suite.cells) {
        let cells: Vec<&FinishedCell> = suite.cells.iter().filter(|cell| cell.fraction == fraction).collect();
        let protocols: BTreeSet<&String> =
            cells.iter().flat_map(|cell| cell.scores.values()).flat_map(|of| of.keys()).collect();
        tables.extend(protocols.into_iter().map(|protocol| table(suite, &cells, fraction, protocol)));
    }
    tables
}

/// The shares of data of `cells`, the largest first.
fn fractions(cells: &[FinishedCell]) -> Vec<f64> {
    let mut all: Vec<f64> = cells.iter().map(|cell| cell.fraction).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    all.dedup();
    all
}

fn table(suite: &Suite, cells: &[&FinishedCell], fraction: f64, protocol: &str) -> Table {
    let scores = scores(cells, protocol);
    let systems: BTreeSet<&str> = scores.keys().map(|(system, _)| *system).collect();
    let tasks: BTreeSet<&str> = scores.keys().map(|(_, task)| *task).collect();
    let row = |task: &&str| {
        let cells = systems.iter().map(|system| spread(scores.get(&(*system, *task)).map_or(&[], Vec::as_slice)));
        [Cell::text(*task)].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<Cell>> = tasks.iter().map(row).collect();
    let averages = systems.iter().map(|system| spread(&averages(cells, system, &tasks, protocol)));
    rows.push([Cell::text("average")].into_iter().chain(averages).collect());
    let seeds: BTreeSet<u64> = cells.iter().map(|cell| cell.seed).collect();
    let caption = format!(
        "{} ({}, scale {}): micro-F1 in percent, protocol {protocol}, {} % of the data, {} seeds, mean ± standard deviation",
        suite.label,
        suite.plan.suite,
        suite.plan.scale,
        100. * fraction,
        seeds.len()
    );
    let subject = format!("{} · {protocol} · {} %", suite.label, 100. * fraction);
    Table::new("suite", subject, caption).head(["corpus"].into_iter().chain(systems)).rows(rows)
}

fn scores<'a>(cells: &[&'a FinishedCell], protocol: &str) -> BTreeMap<(&'a str, &'a str), Seeds> {
    let mut scores: BTreeMap<(&str, &str), Seeds> = BTreeMap::new();
    for cell in cells {
        for (task, protocols) in &cell.scores {
            if let Some(score) = protocols.get(protocol) {
                scores.entry((cell.system.as_str(), task.as_str())).or_default().push(100. * score.micro_f1);
            }
        }
    }
    scores
}

/// The mean over `tasks` of each seed that has them all.
fn averages(cells: &[&FinishedCell], system: &str, tasks: &BTreeSet<&str>, protocol: &str) -> Seeds {
    let mut seeds: BTreeMap<u64, BTreeMap<&str, f64>> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.system == system) {
        for (task, protocols) in &cell.scores {
            if let Some(score) = protocols.get(protocol) {
                seeds.entry(cell.seed).or_default().insert(task, 100. * score.micro_f1);
            }
        }
    }
    let whole = seeds.into_values().filter(|scores| scores.len() == tasks.len());
    whole.map(|scores| scores.values().sum::<f64>() / scores.len() as f64).collect()
}

/// Mean and sample standard deviation.
fn spread(values: &[f64]) -> Cell {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    match values {
        [] => Cell::none(),
        [value] => Cell::number(*value, 2),
        _ => {
            let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.)).sqrt();
            Cell { text: format!("{mean:.2} ± {deviation:.2}"), spread: Some(deviation), ..Cell::number(mean, 2) }
        }
    }
}

/// A point of the paper's figure 2: a system, its share of trainable parameters and its F1, both in percent, by share of the data.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Share {
    pub(in crate::report) system: String,
    pub(in crate::report) fraction: f64,
    pub(in crate::report) trainable: f64,
    pub(in crate::report) f1: f64,
}

/// The points of a suite's systems, under the first protocol. A system whose size is not known has none.
pub(in crate::report) fn shares(suite: &Suite) -> Vec<Share> {
    let mut points = Vec::new();
    for fraction in fractions(&suite.cells) {
        let cells: Vec<&FinishedCell> = suite.cells.iter().filter(|cell| cell.fraction == fraction).collect();
        let protocol = cells.iter().flat_map(|cell| cell.scores.values()).flat_map(|of| of.keys()).min();
        let tasks: BTreeSet<&str> = cells.iter().flat_map(|cell| cell.scores.keys()).map(String::as_str).collect();
        let systems: BTreeSet<&str> = cells.iter().map(|cell| cell.system.as_str()).collect();
        for (system, protocol) in systems.into_iter().filter_map(|system| Some((system, protocol?))) {
            let own = cells.iter().filter(|cell| cell.system == system);
            let totals = own.filter_map(|cell| Some(share(cell.trainable, cell.total.or_else(|| total(suite, system))?)));
            let (trainable, f1) = (totals.collect::<Vec<_>>(), averages(&cells, system, &tasks, protocol));
            if !trainable.is_empty() && !f1.is_empty() {
                let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
                points.push(Share {
                    system: system.to_owned(),
                    fraction,
                    trainable: 100. * mean(&trainable),
                    f1: mean(&f1),
                });
            }
        }
    }
    points
}

/// The parameters of a system's model, as its run says.
fn total(suite: &Suite, system: &str) -> Option<usize> {
    let of_system = |model: &&crate::report::read::Model| model.cell.as_ref().is_some_and(|cell| cell.system == system);
    Some(suite.models.iter().find(of_system)?.parameters.as_ref()?.total)
}
