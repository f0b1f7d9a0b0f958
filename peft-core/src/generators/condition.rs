//! What weights are generated for.

use candle_core::Tensor;

use super::states::States;
use crate::{Error, Result, Stack};

/// What weights are generated for: the tasks of the rows, and what else a generator [needs](crate::Needs) to see of them.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use peft_core::{Condition, RowTasks};
///
/// let descriptions = Tensor::new(&[[0.5f32, 1.], [2., 0.25]], &Device::Cpu)?;
/// let condition = Condition::Rows(vec![1, 0]).with_vectors(descriptions)?;
/// assert_eq!(condition.tasks(), RowTasks::Each(&[1, 0]));
/// assert_eq!(condition.vectors()?.dims(), [2, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Condition {
    /// Every row of the batch belongs to this task.
    Task(usize),
    /// Row `b` of the batch belongs to task `rows[b]`; the generated weights carry a leading batch axis.
    Rows(Vec<usize>),
    /// Tasks together with vectors or states of the backbone: what [`with_vectors`](Self::with_vectors) and
    /// [`with_states`](Self::with_states) make.
    Inputs(Box<ConditionInputs>),
}

/// The tasks of a condition, with the tensors that weights are generated from.
#[derive(Debug, Clone)]
pub struct ConditionInputs {
    /// [`Condition::Task`] or [`Condition::Rows`].
    tasks: Condition,
    vectors: Option<Tensor>,
    states: Vec<States>,
}

/// The tasks of the rows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowTasks<'a> {
    /// All rows belong to this task, however many there are.
    All(usize),
    /// Row `b` belongs to task number `b` of these.
    Each(&'a [usize]),
}

impl RowTasks<'_> {
    /// The task of each of `rows` rows.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there are tasks for another number of rows.
    pub fn of_rows(self, rows: usize) -> Result<Vec<usize>> {
        match self {
            Self::All(task) => Ok(vec![task; rows]),
            Self::Each(tasks) if tasks.len() == rows => Ok(tasks.to_vec()),
            Self::Each(tasks) => Err(Error::Mismatch(format!(
                "the condition names the tasks of {} rows, the batch has {rows}",
                tasks.len()
            ))),
        }
    }
}

impl Condition {
    /// The tasks of the rows.
    pub fn tasks(&self) -> RowTasks<'_> {
        match self {
            Self::Task(task) => RowTasks::All(*task),
            Self::Rows(tasks) => RowTasks::Each(tasks),
            Self::Inputs(inputs) => inputs.tasks.tasks(),
        }
    }

    /// The tasks, for a generator that sees nothing else. `generator` is its name.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the condition holds vectors or states, which the generator would ignore.
    pub fn tasks_only(&self, generator: &str) -> Result<RowTasks<'_>> {
        let Self::Inputs(inputs) = self else {
            return Ok(self.tasks());
        };
        let found = match &inputs.vectors {
            Some(_) => "a vector".to_owned(),
            None => {
                let stacks: Vec<&str> = inputs.states.iter().map(|states| states.stack().as_str()).collect();
                format!("the output of the stack {}", stacks.join(", "))
            }
        };
        Err(Error::Mismatch(format!(
            "the generator {generator} makes weights from tasks alone, and the condition also holds {found}; leave it out, or \
             use a generator that needs it"
        )))
    }

    /// The same tasks with vectors, such as embeddings of descriptions: `[features]` for all rows together, or `[batch,
    /// features]` with one for each row.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if they have another number of dimensions, or are for another number of rows than the rest.
    pub fn with_vectors(self, vectors: Tensor) -> Result<Self> {
        let rows = match *vectors.dims() {
            [_] => None,
            [rows, _] => Some(rows),
            ref other => {
                return Err(Error::Mismatch(format!(
                    "vectors of a condition have the shape [features] or [batch, features], found {other:?}"
                )));
            }
        };
        let mut inputs = self.into_inputs();
        inputs.vectors = None;
        inputs.check_rows(rows, "vectors")?;
        inputs.vectors = Some(vectors);
        Ok(Self::Inputs(Box::new(inputs)))
    }

    /// The same tasks with states of the backbone, which take the place of earlier ones of the same stack.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if they are for another number of rows than the rest.
    pub fn with_states(self, states: States) -> Result<Self> {
        let mut inputs = self.into_inputs();
        inputs.states.retain(|known| known.stack() != states.stack());
        inputs.check_rows(Some(states.rows()), "states")?;
        inputs.states.push(states);
        Ok(Self::Inputs(Box::new(inputs)))
    }

    /// The vectors, `[features]` or `[batch, features]`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there are none.
    pub fn vectors(&self) -> Result<&Tensor> {
        self.inputs().and_then(|inputs| inputs.vectors.as_ref()).ok_or_else(|| {
            Error::Mismatch(
                "the weights are generated from a vector, and the condition holds none; a task alone is not enough: add one \
                 with Condition::with_vectors"
                    .to_owned(),
            )
        })
    }

    /// The output of `stack`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if it is not there.
    pub fn states(&self, stack: &Stack) -> Result<&States> {
        self.find_states(stack).ok_or_else(|| {
            Error::Mismatch(format!(
                "the weights are generated from the output of the stack {stack} for each batch, and the condition does not hold \
                 it. A task alone is not enough: use PeftModel::loss or PeftModel::prepare, which compute it, or \
                 Condition::with_states. Weights that differ with the input cannot be merged, compiled or saved as those of a \
                 task"
            ))
        })
    }

    /// The output of `stack`, if the condition holds it.
    pub(crate) fn find_states(&self, stack: &Stack) -> Option<&States> {
        self.inputs()?.states.iter().find(|states| states.stack() == stack)
    }

    fn inputs(&self) -> Option<&ConditionInputs> {
        match self {
            Self::Inputs(inputs) => Some(inputs),
            _ => None,
        }
    }

    fn into_inputs(self) -> ConditionInputs {
        match self {
            Self::Inputs(inputs) => *inputs,
            tasks => ConditionInputs { tasks, vectors: None, states: Vec::new() },
        }
    }
}

impl ConditionInputs {
    /// The number of rows that the tasks and tensors are for; `None`: any.
    fn rows(&self) -> Option<usize> {
        let tasks = match self.tasks.tasks() {
            RowTasks::All(_) => None,
            RowTasks::Each(tasks) => Some(tasks.len()),
        };
        let vectors = || self.vectors.as_ref().filter(|v| v.rank() == 2).and_then(|v| v.dim(0).ok());
        let states = || self.states.first().map(States::rows);
        tasks.or_else(vectors).or_else(states)
    }

    fn check_rows(&self, found: Option<usize>, what: &str) -> Result<()> {
        match self.rows().zip(found) {
            Some((expected, found)) if expected != found => {
                Err(Error::Mismatch(format!("a condition for {expected} rows was given {what} of {found} rows")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device};

    use super::*;

    fn zeros(dims: &[usize]) -> Tensor {
        Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap()
    }

    fn states(stack: Stack, rows: usize) -> States {
        States::new(stack, zeros(&[rows, 3, 2]), zeros(&[rows, 3])).unwrap()
    }

    #[test]
    fn vectors_and_states_belong_to_the_same_rows_as_the_tasks() {
        let both = Condition::Rows(vec![0, 1]).with_states(states(Stack::ENCODER, 2)).unwrap();
        let both = both.with_vectors(zeros(&[2, 5])).unwrap();
        assert_eq!(both.tasks(), RowTasks::Each(&[0, 1]));
        assert_eq!(both.states(&Stack::ENCODER).unwrap().rows(), 2);
        assert_eq!(both.vectors().unwrap().dims(), [2, 5]);

        let error = |condition: Result<Condition>| condition.unwrap_err().to_string();
        assert_eq!(
            error(both.clone().with_states(states(Stack::new("vision"), 3))),
            "a condition for 2 rows was given states of 3 rows"
        );
        assert_eq!(
            error(Condition::Task(0).with_states(states(Stack::ENCODER, 2)).unwrap().with_vectors(zeros(&[3, 5]))),
            "a condition for 2 rows was given vectors of 3 rows"
        );
        assert!(error(Condition::Task(0).with_vectors(zeros(&[1, 2, 3]))).ends_with("found [1, 2, 3]"));
        // One vector for all rows fits any batch.
        Condition::Task(0).with_vectors(zeros(&[5])).unwrap().with_states(states(Stack::ENCODER, 4)).unwrap();
    }

    #[test]
    fn states_of_one_stack_are_held_once() {
        let first = Condition::Task(0).with_states(states(Stack::ENCODER, 2)).unwrap();
        let second = first.with_states(states(Stack::ENCODER, 3)).unwrap();
        assert_eq!(second.states(&Stack::ENCODER).unwrap().rows(), 3);
    }

    #[test]
    fn what_is_missing_or_would_be_ignored_is_refused() {
        let task = Condition::Task(1);
        assert!(task.vectors().unwrap_err().to_string().contains("with_vectors"));
        let message = task.states(&Stack::DECODER).unwrap_err().to_string();
        assert!(message.contains("the stack decoder") && message.contains("PeftModel::prepare"), "{message}");
        assert_eq!(task.tasks_only("static").unwrap(), RowTasks::All(1));
        let message =
            task.with_states(states(Stack::ENCODER, 2)).unwrap().tasks_only("static").unwrap_err().to_string();
        assert!(message.starts_with("the generator static") && message.contains("the stack encoder"), "{message}");
        assert!(RowTasks::Each(&[0, 1]).of_rows(3).unwrap_err().to_string().contains("2 rows, the batch has 3"));
    }
}
