//! What a server is and how it is: `/v1/tasks`, `/health`, `/ready`, `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::model::Precision;
use crate::serve::app::{App, unavailable};
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::json::json;
use crate::serve::metrics::CONTENT_TYPE;
use crate::serve::models::{Model, TaskInfo};
use crate::serve::phase::Phase;

/// The tasks and models.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct TasksResponse {
    /// The tasks, by model.
    tasks: Vec<TaskInfo>,
    /// The models, by name.
    models: Vec<ModelInfo>,
}

/// A model.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ModelInfo {
    /// Its name.
    model: String,
    /// Its parameters, of backbone and generator.
    parameters: usize,
    /// The type of its backbone's matrices.
    #[schema(value_type = String, example = "int8")]
    dtype: Precision,
    /// Its tasks.
    tasks: Vec<String>,
}

impl ModelInfo {
    pub(super) fn of(model: &Model) -> Self {
        let tasks = model.task_names().map(str::to_owned).collect();
        Self { model: model.name().to_owned(), parameters: model.parameters, dtype: model.dtype, tasks }
    }
}

/// A word about the server.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct StatusBody {
    /// `ok` or `ready`.
    #[schema(example = "ok")]
    status: String,
}

impl StatusBody {
    fn answer(status: &str) -> Response {
        json(StatusCode::OK, &Self { status: status.to_owned() })
    }
}

/// Lists tasks and models
#[utoipa::path(
    get,
    path = "/v1/tasks",
    responses(
        (status = 200, description = "The tasks and models that are loaded", body = TasksResponse),
        (status = 401, description = "The token is missing or wrong", body = ErrorBody),
    )
)]
pub(in crate::serve) async fn tasks(State(app): State<Arc<App>>) -> Response {
    let models = app.models.all();
    let tasks = models.iter().flat_map(|model| model.tasks()).collect();
    let models = models.iter().map(|model| ModelInfo::of(model)).collect();
    json(StatusCode::OK, &TasksResponse { tasks, models })
}

/// Says that the server runs
#[utoipa::path(get, path = "/health", responses((status = 200, description = "The server runs", body = StatusBody)))]
pub(in crate::serve) async fn health() -> Response {
    StatusBody::answer("ok")
}

/// Says whether requests are answered
#[utoipa::path(
    get,
    path = "/ready",
    responses(
        (status = 200, description = "Requests are answered", body = StatusBody),
        (status = 503, description = "The models are loading, or the server is shutting down", body = ErrorBody),
    )
)]
pub(in crate::serve) async fn ready(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    match app.progress.phase() {
        Phase::Serving => Ok(StatusBody::answer("ready")),
        phase => Err(unavailable(phase)),
    }
}

/// Returns the counters of the server, for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    responses(
        (status = 200, description = "Counters", body = String, content_type = "application/openmetrics-text"),
        (status = 401, description = "The token is missing or wrong", body = ErrorBody),
    )
)]
pub(in crate::serve) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let text = app.metrics.text(&app.models, app.progress.accepted());
    ([(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))], text).into_response()
}
