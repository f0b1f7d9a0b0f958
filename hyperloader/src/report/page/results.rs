//! Scores, sizes and learning curves.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Result;
use crate::report::charts::{Figure, Line, Point, line_chart, scatter_chart};
use crate::report::read::{Model, Source};
use crate::report::tables::{Table, curve_table, differences, run_table, shares, suite_tables};

/// Scores, sizes and learning curves.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    pub(super) tables: Vec<Table>,
    /// F1 against the share of trainable parameters.
    shares: Vec<Figure>,
    curves: Vec<Figure>,
}

/// The results of `sources` on `split`.
///
/// # Errors
/// If a chart cannot be drawn.
pub(super) fn results(sources: &[Source], split: &str) -> Result<Results> {
    let (mut runs, mut tables, mut points) = (Vec::new(), Vec::new(), Vec::new());
    for source in sources {
        match source {
            Source::Run(model) => runs.push(&**model),
            Source::Suite(suite) => {
                tables.extend(suite_tables(suite)?);
                tables.extend(differences(suite));
                points.extend(shares(suite)?.into_iter().map(|share| Point {
                    label: share.label,
                    trainable: share.trainable,
                    f1: share.f1,
                    is_of_paper: share.is_of_paper,
                }));
            }
        }
    }
    points.extend(runs.iter().filter_map(|model| point(model)));
    if !runs.is_empty() {
        tables.insert(0, run_table(&runs, split));
    }
    let logged: Vec<&Model> = sources.iter().flat_map(Source::models).filter(|model| model.curves.steps > 0).collect();
    if !logged.is_empty() {
        tables.push(curve_table(&logged));
    }
    let shares = scatter_chart("Mean F1 against the share of trainable parameters", &points)?;
    Ok(Results { tables, shares: shares.into_iter().collect(), curves: curves(&logged)? })
}

fn point(model: &Model) -> Option<Point> {
    let (count, f1) = (model.parameters.as_ref()?, model.average()?);
    let trainable = 100. * count.trainable as f64 / count.total.max(1) as f64;
    Some(Point { label: model.label.clone(), trainable, f1: 100. * f1, is_of_paper: false })
}

/// Two figures, loss and validation, for each group of models: the runs, and in a suite those with the same tasks.
fn curves(models: &[&Model]) -> Result<Vec<Figure>> {
    let mut groups: BTreeMap<String, Vec<&Model>> = BTreeMap::new();
    for model in models {
        let group = model.place.as_ref().map_or_else(String::new, |_| format!(" · {}", model.tasks.join(", ")));
        groups.entry(group).or_default().push(model);
    }
    let mut figures = Vec::new();
    for (group, models) in groups {
        let lines = |of: fn(&Model) -> &[(f64, f64)], factor: f64| -> Vec<Line> {
            let scaled = |model: &Model| of(model).iter().map(|(step, value)| (*step, factor * value)).collect();
            let all = models.iter().map(|model| Line { label: model.label.clone(), points: scaled(model) });
            all.filter(|line| !line.points.is_empty()).collect()
        };
        let loss = line_chart(
            &format!("Training loss{group}"),
            "loss a token",
            &lines(|model| model.curves.loss.as_slice(), 1.),
        )?;
        let validation = lines(|model| model.curves.validation.as_slice(), 100.);
        let validation = line_chart(&format!("Validation{group}"), "mean micro-F1 (%)", &validation)?;
        figures.extend(loss.into_iter().chain(validation));
    }
    Ok(figures)
}
