//! `POST /v1/label`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::ask::{How, Input, ask, target};
use super::body::read;
use super::count::Count;
use super::fields::{OneOrMany, OneOrManyLists, Texts, WordLists};
use crate::label::{Answer, TaggedSentence};
use crate::serve::app::App;
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::json::json;

/// What is to be labelled, and how. It has either `text` or `words`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelRequest {
    /// The task. It may be left out if there is only one, or the server has a default.
    #[schema(example = "travel")]
    task: Option<String>,
    /// The model. It may be left out if only one has the task.
    model: Option<String>,
    /// A raw text or a list of them.
    #[schema(value_type = Option<OneOrMany>, example = "book a flight to Oslo")]
    text: Option<Texts>,
    /// The words of a text, or a list of such lists.
    #[schema(value_type = Option<OneOrManyLists>)]
    words: Option<WordLists>,
    /// Spans with a lower score are left out, and their words have the tag `O`; from 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    threshold: Option<f32>,
    /// The number of sequences of tags to return with each answer.
    #[schema(value_type = Option<usize>, minimum = 1)]
    n_best: Option<Count>,
    /// Whether texts are labelled sentence by sentence. Default: no.
    #[serde(default)]
    split_sentences: bool,
}

/// The labelled texts, in their order.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct LabelResponse {
    /// The task.
    task: String,
    /// The name of the model.
    model: String,
    /// For each text what a line of `predict --format jsonl` is.
    results: Vec<Answer>,
}

/// Labels one text or several
#[utoipa::path(
    post,
    path = "/v1/label",
    request_body = LabelRequest,
    responses(
        (status = 200, description = "The labelled texts, in their order", body = LabelResponse),
        (status = 400, description = "The body is no JSON", body = ErrorBody),
        (status = 401, description = "The token is missing or wrong", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time", body = ErrorBody),
        (status = 413, description = "More bytes, texts or words than a limit allows", body = ErrorBody),
        (status = 415, description = "The body is not declared as JSON", body = ErrorBody),
        (status = 422, description = "A field has a wrong value", body = ErrorBody),
        (status = 429, description = "Too many requests wait; try again after `Retry-After` seconds", body = ErrorBody),
        (status = 500, description = "The model fails", body = ErrorBody),
        (status = 503, description = "The server is loading or shutting down", body = ErrorBody),
        (status = 504, description = "Labelling takes too long", body = ErrorBody),
    )
)]
pub(in crate::serve) async fn label(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let asked: LabelRequest = read(request, &app.options.limits).await?;
    if let Some(threshold) = asked.threshold
        && !(0. ..=1.).contains(&threshold)
    {
        return Err(ApiError::invalid(format!("threshold: {threshold} is not between 0 and 1")));
    }
    let input = match (asked.text, asked.words) {
        (Some(texts), None) => ("text", Input::Raw(texts.texts)),
        (None, Some(lists)) => ("words", Input::Words(lists.0)),
        (None, None) => return Err(ApiError::invalid("text: missing; give text or words")),
        (Some(_), Some(_)) => return Err(ApiError::invalid("words: given next to text; give one of the two")),
    };
    let (model, task) = target(&app, asked.model.as_deref(), asked.task.as_deref())?;
    if asked.threshold.is_some() && !model.has_confidences() {
        return Err(ApiError::invalid("threshold: this model decodes freely, without scores"));
    }
    let how = How { n_best: asked.n_best.map(|count| count.0), split_sentences: asked.split_sentences };
    let labelled = ask(&app, &model, task.clone(), input, how).await?;
    let result = |labelled: TaggedSentence| {
        let labelled = match asked.threshold {
            Some(threshold) => labelled.with_threshold(threshold)?,
            None => labelled,
        };
        Answer::new(labelled, asked.n_best.is_some())
    };
    let results = labelled.into_iter().map(result).collect::<crate::Result<_>>();
    let results = results.map_err(|_| ApiError::failed("the model wrote tags that are none"))?;
    Ok(json(StatusCode::OK, &LabelResponse { task, model: model.name().to_owned(), results }))
}
