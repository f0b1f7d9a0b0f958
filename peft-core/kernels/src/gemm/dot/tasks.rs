//! Which elements of a product are computed together.

use std::ops::Range;

/// The most columns of a task. Their numbers stay in the second-level cache while all rows of the task pass.
const COLUMNS: usize = 64;
/// The columns of a task are a multiple of it, except those of the last one.
const STEP: usize = 16;
/// The most rows of a task, so that they are in a shared cache when the next columns are computed.
const ROWS: usize = 512;
/// The fewest rows of a task, if there are more.
const FEWEST_ROWS: usize = 32;
/// The fewest tasks of a product that is large enough.
const TASKS: usize = 8;

/// The rows and columns that one task computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

/// The tasks of a product of `rows` by `columns`. Rows are split only where there are few columns or many rows, because each task
/// loads its columns.
pub(super) fn tasks(rows: usize, columns: usize) -> Vec<Task> {
    let across = columns.div_ceil(COLUMNS).max(1);
    let width = columns.div_ceil(across).next_multiple_of(STEP).max(STEP);
    let share = rows.div_ceil(TASKS.div_ceil(across)).next_multiple_of(FEWEST_ROWS);
    let height = share.clamp(FEWEST_ROWS, ROWS);
    let down = move |column: usize| {
        let columns = column..columns.min(column + width);
        (0..rows).step_by(height).map(move |row| Task { rows: row..rows.min(row + height), columns: columns.clone() })
    };
    (0..columns).step_by(width).flat_map(down).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_cover_every_element_once() {
        for (rows, columns) in [(0, 5), (5, 0), (1, 1), (1, 65), (7, 2048), (33, 30), (700, 25), (2000, 512), (513, 81)]
        {
            let mut seen = vec![0; rows * columns];
            for Task { rows, columns: own } in tasks(rows, columns) {
                for row in rows {
                    own.clone().for_each(|column| seen[row * columns + column] += 1);
                }
            }
            assert!(seen.iter().all(|count| *count == 1), "{rows} x {columns}");
        }
    }

    #[test]
    fn few_columns_share_the_rows_out_among_tasks() {
        assert_eq!(tasks(640, 25).len(), 7);
        assert_eq!(tasks(16, 512).len(), 8);
        assert_eq!(tasks(640, 512).len(), 16);
    }
}
