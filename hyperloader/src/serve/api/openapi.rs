//! `GET /openapi.json`: what clients may ask, for programs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa::OpenApi;

use super::describe::describe;
use super::{hugging_face, label, models, page, status};
use crate::serve::app::App;
use crate::serve::error::{ApiError, ErrorBody};
use crate::serve::json::json;

/// The routes of every server.
#[derive(OpenApi)]
#[openapi(
    info(title = "HyperLoader", description = "Labels spans of texts, with the tasks of trained models."),
    paths(
        label::label,
        hugging_face::hugging_face,
        status::tasks,
        status::health,
        status::ready,
        status::metrics,
        openapi,
        page::page
    )
)]
struct Everyone;

/// The routes of a server with a token for admins.
#[derive(OpenApi)]
#[openapi(paths(models::load_model, models::unload_model))]
struct Admins;

/// Describes the routes of this server
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses(
        (status = 200, description = "This description", body = Object),
        (status = 401, description = "The token is missing or wrong", body = ErrorBody),
    )
)]
pub(in crate::serve) async fn openapi(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let mut routes = Everyone::openapi();
    if app.options.admin_token.is_some() {
        routes.merge(Admins::openapi());
    }
    match serde_json::to_value(&routes) {
        Ok(mut document) => {
            describe(&mut document, &app);
            Ok(json(StatusCode::OK, &document))
        }
        Err(_) => Err(ApiError::failed("the routes cannot be described")),
    }
}
