//! From texts to labelled texts: which model, whether the limits allow it, and the wait.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::label::{Item, TaggedSentence};
use crate::serve::app::App;
use crate::serve::error::ApiError;
use crate::serve::models::{Failure, Key, Model, Refused, Text};

/// Texts as clients send them.
#[derive(Debug)]
pub(super) enum Input {
    Raw(Vec<String>),
    Words(Vec<Vec<String>>),
}

/// How texts are labelled.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct How {
    pub(super) n_best: Option<NonZeroUsize>,
    pub(super) split_sentences: bool,
}

/// The model and the task that a request means.
pub(super) fn target(app: &App, model: Option<&str>, task: Option<&str>) -> Result<(Arc<Model>, String), ApiError> {
    let models = match model {
        None => app.models.all(),
        Some(name) => {
            let known = || {
                let names: Vec<String> = app.models.all().iter().map(|model| model.name().to_owned()).collect();
                ApiError::invalid(format!("model: unknown model {name:?}; known: {}", names.join(", ")))
            };
            vec![app.models.get(name).ok_or_else(known)?]
        }
    };
    let tasks: Vec<(&Arc<Model>, &str)> =
        models.iter().flat_map(|model| model.task_names().map(move |task| (model, task))).collect();
    let Some(task) = task.or(app.options.default_task.as_deref()) else {
        return match tasks.as_slice() {
            [(model, only)] => Ok(((*model).clone(), (*only).to_owned())),
            _ => Err(ApiError::invalid(format!("task: missing; known: {}", names(&tasks)))),
        };
    };
    let having: Vec<&Arc<Model>> = tasks.iter().filter(|(_, own)| *own == task).map(|(model, _)| *model).collect();
    match having.as_slice() {
        [only] => Ok(((*only).clone(), task.to_owned())),
        [] => Err(ApiError::invalid(format!("task: unknown task {task:?}; known: {}", names(&tasks)))),
        several => {
            let names: Vec<&str> = several.iter().map(|model| model.name()).collect();
            Err(ApiError::invalid(format!("model: missing; these have the task {task:?}: {}", names.join(", "))))
        }
    }
}

fn names(tasks: &[(&Arc<Model>, &str)]) -> String {
    let mut names: Vec<&str> = tasks.iter().map(|(_, task)| *task).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// Labels the texts of the field `field`.
pub(super) async fn ask(
    app: &App,
    model: &Model,
    task: String,
    (field, input): (&str, Input),
    how: How,
) -> Result<Vec<TaggedSentence>, ApiError> {
    if let Some(n) = how.n_best {
        let most = app.options.limits.n_best;
        if n > most {
            return Err(ApiError::invalid(format!("n_best: {n} is more than this server allows, {most}")));
        }
        if !model.has_confidences() {
            return Err(ApiError::invalid("n_best: this model decodes freely, which finds one sequence"));
        }
    }
    let texts = texts(app, model, field, input, how)?;
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let answer = model.ask(Key { task, n_best: how.n_best }, texts).map_err(|refused| match refused {
        Refused::Full => ApiError::overloaded(),
        Refused::Closed => ApiError::unavailable("the model is being unloaded"),
    })?;
    match answer.await {
        Ok(Ok(labelled)) => Ok(labelled),
        Ok(Err(Failure::Task)) => Err(ApiError::failed("the task cannot be loaded; the log of the server says why")),
        Ok(Err(Failure::Text)) => Err(ApiError::failed("a text cannot be labelled; the log of the server says why")),
        Err(_) => Err(ApiError::failed("the model has stopped")),
    }
}

/// The texts with their words counted, if they are within the limits.
fn texts(app: &App, model: &Model, field: &str, input: Input, how: How) -> Result<Vec<Text>, ApiError> {
    let limits = &app.options.limits;
    let given = match &input {
        Input::Raw(texts) => texts.len(),
        Input::Words(lists) => lists.len(),
    };
    if given > limits.texts.get() {
        return Err(ApiError::too_large(format!(
            "{field}: {given} texts are more than this server allows, {}",
            limits.texts
        )));
    }
    let texts: Vec<Text> = match input {
        Input::Raw(texts) => {
            let text = |text: String| Text { words: model.splitter().split(&text).len(), item: Item::raw(text) };
            texts.into_iter().map(text).collect()
        }
        Input::Words(lists) => {
            check_words(field, &lists)?;
            lists.into_iter().map(|words| Text { item: Item::words(&words), words: words.len() }).collect()
        }
    };
    let words: usize = texts.iter().map(|text| text.words).sum();
    if words > limits.words.get() {
        return Err(ApiError::too_large(format!(
            "{field}: {words} words are more than this server allows, {}",
            limits.words
        )));
    }
    let split = |text: Text| Text { item: text.item.split_sentences(how.split_sentences), ..text };
    Ok(texts.into_iter().map(split).collect())
}

/// A blank word has nothing to label, and offsets could not show it.
fn check_words(field: &str, lists: &[Vec<String>]) -> Result<(), ApiError> {
    for (number, list) in lists.iter().enumerate() {
        if let Some(word) = list.iter().position(|word| word.trim().is_empty()) {
            let place = if lists.len() == 1 { format!("[{word}]") } else { format!("[{number}][{word}]") };
            return Err(ApiError::invalid(format!("{field}{place}: a blank word; leave it out")));
        }
    }
    Ok(())
}
