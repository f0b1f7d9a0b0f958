//! `POST /v1/models` and `DELETE /v1/models/{name}`: for those who have the admin's token.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tracing::warn;

use super::body::read;
use super::status::ModelInfo;
use crate::serve::app::App;
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::json::json;
use crate::serve::models::Unloaded;
use crate::serve::options::ModelSource;

/// A model to load.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelRequest {
    /// A run folder or a compiled folder on the server's machine.
    #[schema(value_type = String, example = "models/travel")]
    path: PathBuf,
    /// Its name. Default: that of its folder.
    name: Option<String>,
}

/// Loads a model
#[utoipa::path(
    post,
    path = "/v1/models",
    request_body = ModelRequest,
    responses(
        (status = 201, description = "The model is loaded", body = ModelInfo),
        (status = 400, description = "The body is no JSON", body = ErrorBody),
        (status = 401, description = "The admin's token is missing or wrong", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time", body = ErrorBody),
        (status = 409, description = "A model has this name", body = ErrorBody),
        (status = 413, description = "More bytes than a limit allows", body = ErrorBody),
        (status = 415, description = "The body is not declared as JSON", body = ErrorBody),
        (status = 422, description = "The folder holds no model, or a field has a wrong value", body = ErrorBody),
    )
)]
pub(in crate::serve) async fn load_model(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let ModelRequest { path, name } = read(request, &app.options.limits).await?;
    let source = ModelSource::new(name.as_deref(), &path).map_err(|error| {
        warn!("a model was not loaded: {error}");
        ApiError::invalid("name: expected a name of letters, digits, '.', '_' and '-', and a folder that exists")
    })?;
    match app.models.load(&source, &app.options, &app.metrics).await {
        Ok(model) => Ok(json(StatusCode::CREATED, &ModelInfo::of(&model))),
        Err(Unloaded::Taken) => Err(ApiError::conflict(format!("a model is named {:?} already", source.name))),
        Err(Unloaded::Failed(error)) => {
            warn!(model = source.name, "a model was not loaded: {error}");
            Err(ApiError::invalid("path: the folder cannot be loaded as a model; the log of the server says why"))
        }
    }
}

/// Unloads a model; what it has accepted is still answered
#[utoipa::path(
    delete,
    path = "/v1/models/{name}",
    params(("name" = String, Path, description = "The name of the model")),
    responses(
        (status = 204, description = "The model is unloaded"),
        (status = 401, description = "The admin's token is missing or wrong", body = ErrorBody),
        (status = 404, description = "There is no such model", body = ErrorBody),
    )
)]
pub(in crate::serve) async fn unload_model(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    match app.models.unload(&name) {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(ApiError::not_found(format!("there is no model named {name:?}"))),
    }
}
