//! The scores of a suite, as the paper lays them out, with the paper's own next to them.

use super::runs::share;
use super::{Cell, Table};
use crate::Result;
use crate::report::read::Suite;
use crate::reproduce::Protocol;
use crate::reproduce::tables::{Average, Grid, PaperFigures, paper_figures};

/// A table for each share of the data and protocol: a row for each corpus, a column for each system, and next to it the paper's
/// figure where it has one.
///
/// # Errors
/// If the paper's figures cannot be read.
pub(in crate::report) fn suite_tables(suite: &Suite) -> Result<Vec<Table>> {
    let paper = paper_figures()?;
    let record = &suite.results.record;
    let mut tables = Vec::new();
    for &fraction in record.fractions.iter().rev() {
        for protocol in Protocol::ALL {
            let grid = Grid::new(&suite.results, fraction, protocol);
            if record
                .systems
                .iter()
                .any(|system| record.tasks.iter().any(|task| grid.task(&system.name, task).is_some()))
            {
                tables.push(table(suite, &grid, &paper, fraction, protocol.name()));
            }
        }
    }
    Ok(tables)
}

fn table(suite: &Suite, grid: &Grid<'_>, paper: &PaperFigures, fraction: f64, protocol: &str) -> Table {
    let record = &suite.results.record;
    let mut head = vec!["corpus".to_owned()];
    let mut rows: Vec<Vec<Cell>> = record.tasks.iter().map(|task| vec![Cell::text(task)]).collect();
    let mut averages = vec![Cell::text("average")];
    for system in &record.systems {
        head.push(system.title.clone());
        let figure = system
            .paper
            .as_deref()
            .filter(|paper_name| record.tasks.iter().any(|task| paper.score(fraction, paper_name, task).is_some()));
        for (row, task) in rows.iter_mut().zip(&record.tasks) {
            row.push(spread(grid.task(&system.name, task)));
            row.extend(figure.map(|name| printed(paper.score(fraction, name, task))));
        }
        averages.push(spread(grid.average(&system.name)));
        if let Some(name) = figure {
            head.push(format!("{} (paper)", system.title));
            averages.push(printed(paper.average(fraction, name, &record.tasks)));
        }
    }
    rows.push(averages);
    let caption = format!(
        "{} ({}, {}): test micro-F1 in percent, {} % of the data, protocol {protocol}; mean ± standard deviation over the finished ones of {} seeds. \
         Columns (paper) are the paper's, of t5-base and one seed",
        suite.label,
        record.suite.name(),
        record.scale.name(),
        100. * fraction,
        record.seeds.len()
    );
    Table::new("suite", format!("{} · {protocol} · {} %", suite.label, 100. * fraction), caption).head(head).rows(rows)
}

fn printed(figure: Option<f64>) -> Cell {
    figure.map_or_else(Cell::none, |figure| Cell::number(figure, 2))
}

fn spread(average: Option<Average>) -> Cell {
    match average {
        None => Cell::none(),
        Some(Average { mean, deviation: None, .. }) => Cell::percent(mean),
        Some(Average { mean, deviation: Some(deviation), .. }) => Cell {
            text: format!("{:.2} ± {:.2}", 100. * mean, 100. * deviation),
            spread: Some(100. * deviation),
            ..Cell::percent(mean)
        },
    }
}

/// The sizes that the paper's figure 2 shows: trainable and all parameters, in millions. Of models for one task they are those of one.
const PAPER_SIZES: [(&str, f64, f64); 6] = [
    ("adapters", 3.5, 222.),
    ("lora", 0.84, 222.),
    ("unipelt", 4.5, 220.),
    ("hyperformer++", 5., 228.),
    ("hyperloader", 6., 229.),
    ("hyperdecoder", 16., 239.),
];

/// A point of the paper's figure 2.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Share {
    pub(in crate::report) label: String,
    /// Trainable parameters, in percent of all.
    pub(in crate::report) trainable: f64,
    /// Mean micro-F1 in percent.
    pub(in crate::report) f1: f64,
    pub(in crate::report) is_of_paper: bool,
}

/// The points of a suite's systems under the paper's protocol, and those of the paper on the same corpora.
///
/// # Errors
/// If the paper's figures cannot be read.
pub(in crate::report) fn shares(suite: &Suite) -> Result<Vec<Share>> {
    let (paper, record) = (paper_figures()?, &suite.results.record);
    let mut points = Vec::new();
    for &fraction in record.fractions.iter().rev() {
        let grid = Grid::new(&suite.results, fraction, Protocol::Paper);
        let percent = 100. * fraction;
        for system in &record.systems {
            let cell = suite.results.cells.iter().find(|(result, _)| result.cell.system == system.name);
            if let Some(((result, _), average)) = cell.zip(grid.average(&system.name)) {
                points.push(Share {
                    label: format!("{}, {percent} %", system.title),
                    trainable: 100. * share(result.trainable, result.total),
                    f1: 100. * average.mean,
                    is_of_paper: false,
                });
            }
            let name = system.paper.as_deref();
            let size = PAPER_SIZES.iter().find(|(system, ..)| Some(*system) == name);
            let figure = name.and_then(|name| paper.average(fraction, name, &record.tasks));
            if let Some(((_, trainable, total), f1)) = size.zip(figure) {
                let label = format!("{}, {percent} %, paper", system.title);
                points.push(Share { label, trainable: 100. * trainable / total, f1, is_of_paper: true });
            }
        }
    }
    Ok(points)
}
