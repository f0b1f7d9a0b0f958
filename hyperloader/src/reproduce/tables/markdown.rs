//! The tables for people.

use std::fmt::Write;

use super::differences::{Compared, Differences};
use super::grid::{Average, Grid};
use super::paper::{PaperFigures, paper_figures};
use super::results::SuiteResults;
use crate::Result;
use crate::reproduce::protocols::Protocol;
use crate::reproduce::record::SystemRecord;

/// The page of `results`. Differences are tested with `draws` draws; with 0 they are left out.
pub(super) fn text(results: &SuiteResults, draws: usize) -> Result<String> {
    let record = &results.record;
    let figures = paper_figures()?;
    let mut page = format!(
        "# {}, {}\n\nTest micro-F1 in percent: mean ± standard deviation over {} seeds. {} cells are finished. Version {}.\n",
        record.suite.name(),
        record.scale.name(),
        record.seeds.len(),
        results.cells.len(),
        record.version,
    );
    sizes(results, &mut page);
    for &fraction in &record.fractions {
        for protocol in Protocol::ALL {
            let grid = Grid::new(results, fraction, protocol);
            let _ = write!(page, "\n## {} % of the data, protocol `{}`\n\n", fraction * 100., protocol.name());
            scores(results, &grid, fraction, &figures, &mut page);
        }
        if draws > 0 {
            differences(results, fraction, draws, &mut page);
        }
        speed(results, fraction, &mut page);
    }
    Ok(page)
}

fn percent(average: Option<Average>) -> String {
    match average {
        None => "–".to_owned(),
        Some(Average { mean, deviation: None, .. }) => format!("{:.2}", 100. * mean),
        Some(Average { mean, deviation: Some(deviation), .. }) => {
            format!("{:.2} ± {:.2}", 100. * mean, 100. * deviation)
        }
    }
}

fn row(page: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn head(page: &mut String, names: &[&str]) {
    row(page, names.iter().map(|name| (*name).to_owned()));
    row(page, names.iter().map(|_| "---".to_owned()));
}

/// What each system trains. The tasks of one that has a model for each are added up, except parameters.
fn sizes(results: &SuiteResults, page: &mut String) {
    let _ = write!(page, "\n## Systems\n\n");
    head(page, &["system", "models", "trainable, a model", "share", "steps, all models", "sentences, all models"]);
    for system in &results.record.systems {
        let own =
            results.cells.iter().filter(|(result, _)| result.cell.system == system.name).map(|(result, _)| result);
        let own: Vec<_> = own.collect();
        let Some(first) = own.first() else { continue };
        let alike =
            own.iter().filter(|cell| cell.cell.seed == first.cell.seed && cell.cell.fraction == first.cell.fraction);
        let (mut models, mut steps, mut sentences) = (0, 0, 0);
        for cell in alike {
            models += 1;
            steps += cell.steps;
            sentences += cell.sentences;
        }
        let share = 100. * first.trainable as f64 / first.total.max(1) as f64;
        row(
            page,
            [
                system.title.clone(),
                models.to_string(),
                first.trainable.to_string(),
                format!("{share:.2} %"),
                steps.to_string(),
                sentences.to_string(),
            ],
        );
    }
}

fn scores(results: &SuiteResults, grid: &Grid<'_>, fraction: f64, figures: &PaperFigures, page: &mut String) {
    let tasks = &results.record.tasks;
    let names: Vec<&str> =
        std::iter::once("system").chain(tasks.iter().map(String::as_str)).chain(["average"]).collect();
    head(page, &names);
    for SystemRecord { name, title, paper } in &results.record.systems {
        let own = tasks.iter().map(|task| percent(grid.task(name, task)));
        row(page, std::iter::once(title.clone()).chain(own).chain([percent(grid.average(name))]));
        let Some(paper) =
            paper.as_deref().filter(|paper| tasks.iter().any(|task| figures.score(fraction, paper, task).is_some()))
        else {
            continue;
        };
        let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("*{value:.2}*"));
        let printed = tasks.iter().map(|task| shown(figures.score(fraction, paper, task)));
        let average = shown(figures.average(fraction, paper, tasks));
        row(page, std::iter::once(format!("*{title}: the paper, t5-base, one seed*")).chain(printed).chain([average]));
    }
}

/// The first system of the suite against each of the others, under the strict protocol.
fn differences(results: &SuiteResults, fraction: f64, draws: usize, page: &mut String) {
    let Some(Differences { first, rows }) = Differences::of(results, fraction, draws) else { return };
    let _ = write!(
        page,
        "\n### {} minus another system, protocol `strict`\n\nPoints of micro-F1, with the 95 % interval of a paired bootstrap over test \
         sentences ({draws} draws; the seeds are averaged, so the interval says nothing about other seeds), p, and p by Holm's \
         correction over the {} comparisons of this table. A difference is in bold where the corrected p is below 0.05.\n\n",
        first.title,
        rows.len()
    );
    head(page, &["against", "on", "difference", "95 % interval", "p", "p, corrected"]);
    for Compared { other, on, difference, corrected } in rows {
        let value = format!("{:+.2}", 100. * difference.difference);
        row(
            page,
            [
                other.title.clone(),
                on.to_owned(),
                if corrected < 0.05 { format!("**{value}**") } else { value },
                format!("{:+.2} to {:+.2}", 100. * difference.low, 100. * difference.high),
                format!("{:.4}", difference.p),
                format!("{corrected:.4}"),
            ],
        );
    }
}

/// How soon each system is near its final validation score.
fn speed(results: &SuiteResults, fraction: f64, page: &mut String) {
    let _ = write!(
        page,
        "\n### Speed of learning, {} % of the data\n\nThe first validated step with at least 90 % of the validation micro-F1 after the last \
         step; for one model a task, the mean over tasks.\n\n",
        fraction * 100.
    );
    head(page, &["system", "steps to 90 %", "of steps", "final validation micro-F1"]);
    for system in &results.record.systems {
        let own = results.cells.iter().map(|(result, _)| result);
        let own: Vec<_> =
            own.filter(|result| result.cell.system == system.name && result.cell.fraction == fraction).collect();
        let Some(first) = own.first() else { continue };
        let steps: Vec<f64> = own.iter().filter_map(|result| result.steps_to_90).map(|steps| steps as f64).collect();
        let last: Vec<f64> = own.iter().filter_map(|result| result.final_validation).collect();
        let steps = Average::of(&steps).map_or_else(
            || "–".to_owned(),
            |average| match average.deviation {
                Some(deviation) => format!("{:.0} ± {deviation:.0}", average.mean),
                None => format!("{:.0}", average.mean),
            },
        );
        row(page, [system.title.clone(), steps, first.steps.to_string(), percent(Average::of(&last))]);
    }
}
