//! The scores of runs.

use std::collections::BTreeSet;

use super::{Cell, Table};
use crate::report::read::Model;

/// A row for each run: F1 by task, their average, and the size of the model.
pub(in crate::report) fn run_table(models: &[&Model], split: &str) -> Table {
    let tasks: BTreeSet<&String> = models.iter().flat_map(|model| &model.tasks).collect();
    let caption = format!(
        "Micro-F1 on {split} in percent. The average is over a run's own tasks. Trainable: the share of the model's parameters."
    );
    let head = ["run".to_owned()].into_iter().chain(tasks.iter().map(|task| task.to_string()));
    let head = head.chain(["average", "steps", "trainable", "trainable %"].map(str::to_owned));
    let rows = models.iter().map(|model| {
        let f1 = |task: &&String| model.scores.get(*task).map_or_else(Cell::none, |f1| Cell::percent(*f1));
        let mut row = vec![Cell::text(&model.label)];
        row.extend(tasks.iter().map(f1));
        row.push(model.average().map_or_else(Cell::none, Cell::percent));
        row.push(if model.curves.steps > 0 { Cell::count(model.curves.steps) } else { Cell::none() });
        row.extend(match &model.parameters {
            Some(count) => [Cell::count(count.trainable), Cell::percent(share(count.trainable, count.total))],
            None => [Cell::none(), Cell::none()],
        });
        row
    });
    Table::new("runs", split, caption).head(head).rows(rows)
}

/// `part` of `whole`, in [0, 1].
pub(super) fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
