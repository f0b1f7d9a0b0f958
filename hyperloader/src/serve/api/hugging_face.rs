//! `POST /`: requests and answers of Hugging Face's token classification.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::ask::{How, Input, ask, target};
use super::body::read;
use super::fields::{Object, OneOrMany, Texts};
use crate::label::{EntityGroup, TaggedSentence};
use crate::serve::app::App;
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::json::json;

/// A request of Hugging Face.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HfRequest {
    /// A text or a list of them.
    #[schema(value_type = OneOrMany, example = "book a flight to Oslo")]
    inputs: Texts,
    /// How the answer is made.
    #[serde(default)]
    #[schema(value_type = Option<Parameters>)]
    parameters: Option<Object<Parameters>>,
    /// Ignored: settings of Hugging Face's own servers.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    #[allow(dead_code, reason = "clients send it")]
    options: Option<serde::de::IgnoredAny>,
}

/// How an answer is made.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Parameters {
    /// With `none` an object for each word, otherwise one for each span. Default `simple`. A word has one tag here, so that the
    /// strategies for words of several tokens are the same.
    aggregation_strategy: Option<Aggregation>,
    /// Labels that are left out. Default `["O"]`.
    ignore_labels: Option<Vec<String>>,
    /// The task. It may be left out if there is only one, or the server has a default.
    task: Option<String>,
}

/// How words become groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Aggregation {
    None,
    Simple,
    First,
    Average,
    Max,
}

/// What the address may say.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::serve) struct Address {
    /// The task, if `parameters.task` does not name it.
    task: Option<String>,
}

/// A word with its tag.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub(super) struct WordEntity {
    /// Its BIO tag.
    entity: String,
    /// The confidence of the tag.
    score: f32,
    /// The number of the word, counted from 1.
    index: usize,
    /// The word.
    word: String,
    /// The number of its first character in the text, counted from 0.
    start: usize,
    /// The number after that of its last character.
    end: usize,
}

/// The answer for one text.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum HfAnswer {
    /// A span each.
    Groups(Vec<EntityGroup>),
    /// A word each.
    Words(Vec<WordEntity>),
}

/// The answer: for one text a list, for a list of texts a list of lists.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum HfResponse {
    /// For one text.
    One(HfAnswer),
    /// For a list of texts.
    Many(Vec<HfAnswer>),
}

/// Labels one text or several, as Hugging Face's token classification does
#[utoipa::path(
    post,
    path = "/",
    params(Address),
    request_body = HfRequest,
    responses(
        (status = 200, description = "Spans or words with their labels", body = HfResponse),
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
pub(in crate::serve) async fn hugging_face(
    State(app): State<Arc<App>>,
    address: Result<Query<Address>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let Query(address) = address.map_err(|_| ApiError::invalid("the address may only have ?task=TASK"))?;
    let HfRequest { inputs, parameters, .. } = read(request, &app.options.limits).await?;
    let Parameters { aggregation_strategy, ignore_labels, task } = parameters.unwrap_or_default().0;
    if let Some(task) = address.task.as_deref() {
        // It must be a task also if the body names another one.
        target(&app, None, Some(task))?;
    }
    let (model, task) = target(&app, None, task.or(address.task).as_deref())?;
    if !model.has_confidences() {
        return Err(ApiError::invalid(
            "this model decodes freely, without the scores that this answer has; ask /v1/label",
        ));
    }
    let is_list = inputs.is_list;
    let labelled = ask(&app, &model, task, ("inputs", Input::Raw(inputs.texts)), How::default()).await?;
    let ignored = ignore_labels.unwrap_or_else(|| vec!["O".to_owned()]);
    let answer = |labelled: &TaggedSentence| match aggregation_strategy {
        Some(Aggregation::None) => Ok(HfAnswer::Words(words(labelled, &ignored))),
        _ => groups(labelled, &ignored).map(HfAnswer::Groups),
    };
    let answers: crate::Result<Vec<HfAnswer>> = labelled.iter().map(answer).collect();
    let mut answers = answers.map_err(|_| ApiError::failed("the model wrote tags that are none"))?;
    let response = match (is_list, answers.pop()) {
        (false, Some(only)) => HfResponse::One(only),
        (true, Some(last)) => {
            answers.push(last);
            HfResponse::Many(answers)
        }
        (_, None) => HfResponse::Many(answers),
    };
    Ok(json(StatusCode::OK, &response))
}

fn words(labelled: &TaggedSentence, ignored: &[String]) -> Vec<WordEntity> {
    let scored = labelled.tags.iter().zip(&labelled.confidences);
    let placed = labelled.tokens.iter().zip(&labelled.offsets);
    let all = scored.zip(placed).enumerate().map(|(number, ((tag, score), (word, place)))| WordEntity {
        entity: tag.clone(),
        score: *score,
        index: number + 1,
        word: word.clone(),
        start: place.start,
        end: place.end,
    });
    all.filter(|word| !ignored.contains(&word.entity)).collect()
}

/// The spans and, unless it is ignored, what is between them: words without a span have the label `O`.
fn groups(labelled: &TaggedSentence, ignored: &[String]) -> crate::Result<Vec<EntityGroup>> {
    let spans = labelled.spans()?;
    let mut groups = Vec::new();
    let mut next = 0;
    for span in spans {
        groups.extend(outside(labelled, next..span.word_start));
        next = span.word_end;
        groups.push(EntityGroup::try_from(span)?);
    }
    groups.extend(outside(labelled, next..labelled.tokens.len()));
    groups.retain(|group| !ignored.contains(&group.entity_group));
    Ok(groups)
}

/// The words of `range`, none of which is in a span, as one group.
fn outside(labelled: &TaggedSentence, range: std::ops::Range<usize>) -> Option<EntityGroup> {
    let places = labelled.offsets.get(range.clone())?;
    let (start, end) = (places.first()?.start, places.last()?.end);
    let scores = labelled.confidences.get(range)?;
    Some(EntityGroup {
        entity_group: "O".to_owned(),
        score: scores.iter().sum::<f32>() / scores.len() as f32,
        word: labelled.text.chars().skip(start).take(end - start).collect(),
        start,
        end,
    })
}
