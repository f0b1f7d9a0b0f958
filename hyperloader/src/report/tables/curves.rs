//! Where the curves end.

use super::{Cell, Table};
use crate::report::read::Model;

/// A row for each model with a log: the last loss and the best validation.
pub(in crate::report) fn curve_table(models: &[&Model]) -> Table {
    let row = |model: &&Model| {
        let curves = &model.curves;
        let loss = curves.loss.last().map_or_else(Cell::none, |(_, loss)| Cell::number(*loss, 4));
        let (f1, step) = match curves.best() {
            Some((step, f1)) => (Cell::percent(f1), Cell::count(step as usize)),
            None => (Cell::none(), Cell::none()),
        };
        vec![Cell::text(name(model)), Cell::count(curves.steps), loss, f1, step]
    };
    Table::new(
        "curves",
        "",
        "Where the curves end: mean loss a token of the last steps, best validation micro-F1 in percent",
    )
    .head(["model", "steps", "loss a token", "best validation F1", "at step"])
    .rows(models.iter().filter(|model| model.curves.steps > 0).map(row))
}

/// The label, with the task where a suite has one model a task.
fn name(model: &Model) -> String {
    match (&model.place, model.tasks.as_slice()) {
        (Some(_), [task]) => format!("{} · {task}", model.label),
        _ => model.label.clone(),
    }
}
