//! Gradients, steps, dropout.

use candle_core::Tensor;

use crate::conformance::report::Outcome;
use crate::conformance::subject::{ALL_ROWS, Built, Subject, TASK_OF_ROW, TOLERANCE, gap, same};
use crate::{Condition, Ctx, Result};

/// How far a step moves the variable with the largest gradient.
const STEP: f64 = 0.05;

/// A loss that reaches every row and both tasks.
fn loss(subject: &Subject<'_>, built: &Built) -> Result<Tensor> {
    let out = subject.run(built, &Condition::Rows(TASK_OF_ROW.to_vec()), &ALL_ROWS, Ctx::eval())?;
    // The loss must see constants in the output too. A plain mean would not, where the output is normed.
    let target = (out.detach().cos()? * 0.5)?;
    Ok((out - target)?.sqr()?.mean_all()?)
}

/// One step of gradient descent changes the output.
pub(super) fn differs_after_a_step(subject: &Subject<'_>) -> Result<Outcome> {
    let built = subject.at_init()?;
    let run = || subject.run(&built, &Condition::Task(0), &ALL_ROWS, Ctx::eval());
    let before = run()?.copy()?;
    let grads = loss(subject, &built)?.backward()?;
    for (_, var) in built.store.vars() {
        let Some(grad) = grads.get(&var) else { continue };
        let largest = f64::from(grad.abs()?.max_all()?.to_scalar::<f32>()?);
        if largest > 0. {
            var.set(&(var.as_tensor() - (grad * (STEP / largest))?)?)?;
        }
    }
    let gap = gap(&before, &run()?)?;
    Ok(Outcome::of(gap > TOLERANCE, || format!("the output differs by only {gap:.1e}")))
}

/// Every variable receives a gradient when no weight has its initial value.
pub(super) fn gradients(subject: &Subject<'_>) -> Result<Outcome> {
    let built = subject.perturbed()?;
    let grads = loss(subject, &built)?.backward()?;
    let mut without = Vec::new();
    for (name, var) in built.store.vars() {
        let reached = match grads.get(&var) {
            Some(grad) => grad.abs()?.max_all()?.to_scalar::<f32>()? > 0.,
            None => false,
        };
        if !reached {
            without.push(name);
        }
    }
    Ok(Outcome::of(without.is_empty(), || format!("no gradient reaches {}", without.join(", "))))
}

/// Evaluation is deterministic. Dropout happens in training only and depends on the seed.
pub(super) fn dropout(subject: &Subject<'_>) -> Result<Outcome> {
    let built = subject.perturbed()?;
    let run = |ctx| subject.run(&built, &Condition::Task(0), &ALL_ROWS, ctx);
    let eval = run(Ctx::eval())?;
    if !same(&eval, &run(Ctx::eval())?)? {
        return Ok(Outcome::Failed("two evaluations differ".to_owned()));
    }
    let train = run(Ctx::train(3, 1))?;
    if !same(&train, &run(Ctx::train(3, 1))?)? {
        return Ok(Outcome::Failed("two training passes of one seed differ".to_owned()));
    }
    if gap(&train, &eval)? <= TOLERANCE {
        return Ok(Outcome::NotApplicable("it is configured without dropout".to_owned()));
    }
    let other = run(Ctx::train(4, 1))?;
    Ok(Outcome::of(!same(&train, &other)?, || "another seed drops the same".to_owned()))
}
