//! The weights of a task that is added to a trained hypernetwork.

use std::collections::BTreeMap;

use candle_core::Tensor;
use peft_core::{Error, Result};

use crate::Unshared;
use crate::network::{ROOT, TASKS};
use crate::stack::CONDITIONING;

/// The weights with which the task called `task` begins in a hypernetwork whose weights are among `trained`, by name.
///
/// Its embedding begins at the mean of the embeddings of the trained tasks. What it has of its own according to `unshared` begins as a
/// copy of what they share, so that the new task begins with the same outputs whatever it has.
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let one = |name: &str, value: f32| {
///     Ok::<_, candle_core::Error>((name.to_owned(), Tensor::new(&[value, 0.], &Device::Cpu)?))
/// };
/// let trained = [one("hyper.tasks.ner", 1.)?, one("hyper.tasks.slots", 3.)?, one("hyper.encoder.mlp1.bias", 5.)?].into();
/// let new = peft_hyper::new_task(&trained, "chunks", Some(peft_hyper::Unshared::Conditioning))?;
/// assert_eq!(new["hyper.tasks.chunks"].to_vec1::<f32>()?, [2., 0.]);
/// assert_eq!(new["hyper.tasks.chunks.encoder.mlp1.bias"].to_vec1::<f32>()?, [5., 0.]);
/// # Ok::<(), peft_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Mismatch`] if `trained` holds no embedding of a task; or a failed tensor operation.
pub fn new_task(
    trained: &BTreeMap<String, Tensor>,
    task: &str,
    unshared: Option<Unshared>,
) -> Result<BTreeMap<String, Tensor>> {
    let own = task_name(task);
    let mut weights: BTreeMap<String, Tensor> = BTreeMap::from([(own.clone(), mean_embedding(trained)?)]);
    let Some(unshared) = unshared else {
        return Ok(weights);
    };
    for (name, tensor) in trained {
        let shared = name.strip_prefix(ROOT).and_then(|name| name.strip_prefix('.'));
        let Some(place) = shared.filter(|place| !is_below(place, TASKS)) else { continue };
        if unshared == Unshared::Heads || is_conditioning(place) {
            weights.insert(format!("{own}.{place}"), tensor.detach());
        }
    }
    Ok(weights)
}

/// Whether the weight called `name` belongs to the task called `task` alone.
pub fn is_of_task(name: &str, task: &str) -> bool {
    is_below(name, &task_name(task))
}

/// The name of a task's embedding; its own network, if it has one, is below that name.
fn task_name(task: &str) -> String {
    format!("{ROOT}.{TASKS}.{task}")
}

/// Whether `name` is `path`, or below it.
fn is_below(name: &str, path: &str) -> bool {
    name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether `place`, a name within the hypernetwork, is in a conditioning network. The last part but one of a head's name is a shape.
fn is_conditioning(place: &str) -> bool {
    CONDITIONING.iter().any(|name| place.strip_suffix(name).is_some_and(|stack| stack.ends_with('.')))
}

/// The mean of the embeddings of all tasks, in the order of their names.
fn mean_embedding(trained: &BTreeMap<String, Tensor>) -> Result<Tensor> {
    let is_embedding = |name: &str| {
        let task = name.strip_prefix(ROOT).and_then(|name| name.strip_prefix('.'));
        let task = task.and_then(|name| name.strip_prefix(TASKS)).and_then(|name| name.strip_prefix('.'));
        task.is_some_and(|task| !task.contains('.'))
    };
    let embeddings: Vec<&Tensor> =
        trained.iter().filter(|(name, _)| is_embedding(name)).map(|(_, tensor)| tensor).collect();
    if embeddings.is_empty() {
        return Err(Error::Mismatch(format!(
            "there is no embedding of a task, {ROOT}.{TASKS}.NAME, among the weights"
        )));
    }
    Ok(Tensor::stack(&embeddings, 0)?.mean(0)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;
    use peft_core::toy::{Scale, toy_sites};
    use peft_core::{Condition, GeneratorConfig, ParamStore, PeftConfig, Plan, Tasks};

    use super::*;
    use crate::HyperConfig;

    fn config() -> HyperConfig {
        HyperConfig::new().embedding_dim(2).hidden_dim(5).conditioning_dim(4)
    }

    /// The weights of a network of two tasks, in which no two elements of a weight are the same.
    fn trained() -> BTreeMap<String, Tensor> {
        let store = ParamStore::new(3, &Device::Cpu);
        config().build(&plan(), &Tasks::new(["a", "b"]), store.var_builder()).unwrap();
        let shift = |(name, tensor): (String, Tensor)| {
            let numbers = Tensor::arange(0f32, tensor.elem_count() as f32, &Device::Cpu).unwrap();
            let numbers = (numbers.reshape(tensor.shape()).unwrap() * 0.03).unwrap();
            (name, (tensor + numbers).unwrap())
        };
        store.tensors().into_iter().map(shift).collect()
    }

    fn plan() -> Plan {
        Plan::resolve(&toy_sites(2, 4), &[Box::new(Scale::new(["q", "ffn"])) as Box<dyn PeftConfig>]).unwrap()
    }

    /// The generated weights of `tasks` from `weights`, every one of which must be used.
    fn generated(config: &HyperConfig, tasks: &[&str], weights: BTreeMap<String, Tensor>) -> Vec<Vec<Vec<f32>>> {
        let store = ParamStore::from_tensors(weights, &Device::Cpu);
        let network = config.build(&plan(), &Tasks::new(tasks.to_vec()), store.var_builder()).unwrap();
        store.check_all_used().unwrap();
        let values = |task| {
            let weights = network.generate(&Condition::Task(task)).unwrap();
            weights.iter().flatten().map(|tensor| tensor.flatten_all().unwrap().to_vec1().unwrap()).collect()
        };
        (0..tasks.len()).map(values).collect()
    }

    #[test]
    fn old_tasks_keep_their_weights_bit_by_bit_and_a_copy_begins_like_the_original() {
        let before = generated(&config(), &["a", "b"], trained());
        let mut begun = Vec::new();
        for unshared in [None, Some(Unshared::Conditioning), Some(Unshared::Heads)] {
            let mut weights = trained();
            weights.extend(new_task(&trained(), "c", unshared).unwrap());
            let config = unshared.map_or_else(config, |what| config().unshare("c", what));
            let after = generated(&config, &["a", "b", "c"], weights.clone());
            assert_eq!(after[..2], before[..]);
            begun.push(after[2].clone());

            // Whatever changes among the weights of the new task changes it alone.
            for (_, tensor) in weights.iter_mut().filter(|(name, _)| is_of_task(name, "c")) {
                *tensor = (&*tensor + 1.).unwrap();
            }
            let moved = generated(&config, &["a", "b", "c"], weights);
            assert_eq!(moved[..2], before[..]);
            assert_ne!(moved[2], after[2]);
        }
        assert!(begun.windows(2).all(|pair| pair[0] == pair[1]), "{begun:?}");
    }

    #[test]
    fn a_task_has_what_it_does_not_share() {
        let count = |unshared| new_task(&trained(), "c", unshared).unwrap().len();
        let heads = trained().keys().filter(|name| name.contains(".heads.")).count();
        assert_eq!([count(None), count(Some(Unshared::Conditioning))], [1, 9]);
        assert_eq!(count(Some(Unshared::Heads)), 9 + heads);
        assert!(heads > 0);
    }

    #[test]
    fn names_of_other_tasks_with_the_same_beginning_are_not_taken() {
        assert!(is_of_task("hyper.tasks.a", "a") && is_of_task("hyper.tasks.a.encoder.mlp1.bias", "a"));
        assert!(!is_of_task("hyper.tasks.ab", "a") && !is_of_task("hyper.a.mlp1.bias", "a"));
    }

    #[test]
    fn without_a_trained_task_there_is_nothing_to_add_to() {
        let message = new_task(&BTreeMap::new(), "c", None).unwrap_err().to_string();
        assert!(message.contains("hyper.tasks.NAME"), "{message}");
    }

    #[test]
    fn an_unknown_task_with_a_network_of_its_own_is_refused() {
        let config = config().unshare("c", Unshared::Heads);
        let store = ParamStore::new(3, &Device::Cpu);
        let error = config.build(&plan(), &Tasks::new(["a"]), store.var_builder()).unwrap_err().to_string();
        assert!(error.contains("unshared") && error.contains("no task \"c\"; known: a"), "{error}");
    }
}
