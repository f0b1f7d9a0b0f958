//! Batches whose rows use different weights.

use candle_core::Tensor;

use crate::conformance::report::Outcome;
use crate::conformance::subject::{ALL_ROWS, Subject, TASK_OF_ROW, TOLERANCE, gap};
use crate::{Condition, Ctx, Result};

/// One batch with two tasks is the separate batches.
pub(super) fn mixed_batch(subject: &Subject<'_>) -> Result<Outcome> {
    let built = subject.perturbed()?;
    let mixed = subject.run(&built, &Condition::Rows(TASK_OF_ROW.to_vec()), &ALL_ROWS, Ctx::eval())?;
    let alone = ALL_ROWS.iter().zip(TASK_OF_ROW);
    let alone = alone.map(|(row, task)| subject.run(&built, &Condition::Task(task), &[*row], Ctx::eval()));
    let separate = Tensor::cat(&alone.collect::<Result<Vec<_>>>()?, 0)?;
    let gap = gap(&mixed, &separate)?;
    Ok(Outcome::of(gap <= TOLERANCE, || format!("a row of the mixed batch differs by {gap:.1e}")))
}

/// Rows do not see each other.
pub(super) fn row_alone(subject: &Subject<'_>) -> Result<Outcome> {
    let built = subject.perturbed()?;
    let all = subject.run(&built, &Condition::Task(1), &ALL_ROWS, Ctx::eval())?;
    let alone = ALL_ROWS.iter().map(|row| subject.run(&built, &Condition::Task(1), &[*row], Ctx::eval()));
    let gap = gap(&all, &Tensor::cat(&alone.collect::<Result<Vec<_>>>()?, 0)?)?;
    Ok(Outcome::of(gap <= TOLERANCE, || format!("a row alone differs by {gap:.1e}")))
}

/// Weights generated for a mixed batch are those generated one task at a time.
pub(super) fn batched_generation(subject: &Subject<'_>) -> Result<Outcome> {
    let built = subject.perturbed()?;
    let batch = subject.weights(&built, &Condition::Rows(vec![1, 0]), &[0, 1], &mut Ctx::eval())?;
    for (row, task) in [1, 0].into_iter().enumerate() {
        let mine = batch.of_row(&subject.plan, row)?;
        // A generator that sees the row makes weights with a batch axis of one row.
        let one =
            subject.weights(&built, &Condition::Task(task), &[row], &mut Ctx::eval())?.of_row(&subject.plan, 0)?;
        for (target, (mine, single)) in subject.plan.targets().iter().zip(mine.iter().zip(one.iter())) {
            for ((param, mine), single) in target.params.iter().zip(mine).zip(single) {
                let gap = gap(mine, single)?;
                if gap > TOLERANCE {
                    return Ok(Outcome::Failed(format!("{} of row {row} differs by {gap:.1e}", target.key(param))));
                }
            }
        }
    }
    Ok(Outcome::Held)
}
