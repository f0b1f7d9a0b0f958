//! The routes of a server, and what happens around each of them.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use tower_http::cors::CorsLayer;
use tracing::{debug, warn};

use super::api;
use super::error::ApiError;
use super::metrics::SharedMetrics;
use super::models::Registry;
use super::options::ServeOptions;
use super::phase::{Phase, Progress};
use super::secret::Secret;
use crate::{Error, Result};

/// What the routes share.
#[derive(Debug)]
pub(super) struct App {
    pub(super) options: ServeOptions,
    pub(super) models: Registry,
    pub(super) metrics: SharedMetrics,
    pub(super) progress: Progress,
}

/// The routes.
///
/// # Errors
/// [`Error::Config`] if an origin is none.
pub(super) fn router(app: &Arc<App>) -> Result<Router> {
    let work = Router::new()
        .route("/", post(api::hugging_face))
        .route("/v1/label", post(api::label))
        .route_layer(from_fn_with_state(app.clone(), bounded));
    let open =
        Router::new().route("/", get(api::page)).route("/health", get(api::health)).route("/ready", get(api::ready));
    let told = Router::new()
        .route("/v1/tasks", get(api::tasks))
        .route("/metrics", get(api::metrics))
        .route("/openapi.json", get(api::openapi));
    let clients = work.merge(told).route_layer(from_fn_with_state(app.clone(), client));
    let mut routes = open.merge(clients);
    if app.options.admin_token.is_some() {
        let models = Router::new()
            .route("/v1/models", post(api::load_model))
            .route("/v1/models/{name}", delete(api::unload_model))
            .route_layer(from_fn_with_state(app.clone(), admin));
        routes = routes.merge(models);
    }
    let routes = routes
        .fallback(|| async { ApiError::not_found("there is no such route; GET /openapi.json lists them") })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() });
    let routes = match cors(&app.options.cors_origins)? {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    Ok(routes.layer(from_fn_with_state(app.clone(), observed)).with_state(app.clone()))
}

/// Lets pages of other origins read answers, if they are named.
fn cors(origins: &[String]) -> Result<Option<CorsLayer>> {
    let parse = |origin: &String| {
        let origin = origin.trim_end_matches('/');
        let is_origin = origin.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'));
        let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin);
        value.ok_or_else(|| {
            Error::Config(format!(
                "--cors-origin {origin}: expected an origin, as https://example.org or http://localhost:3000"
            ))
        })
    };
    let origins: Vec<HeaderValue> = origins.iter().map(parse).collect::<Result<_>>()?;
    let layer = |origins: Vec<HeaderValue>| {
        let layer = CorsLayer::new().allow_origin(origins).allow_methods([Method::GET, Method::POST]);
        layer.allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
    };
    Ok(Some(origins).filter(|origins| !origins.is_empty()).map(layer))
}

/// Counts and logs a request.
async fn observed(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let response = next.run(request).await;
    let (status, time) = (response.status().as_u16(), started.elapsed());
    app.metrics.request(&route, status, time);
    let ms = time.as_secs_f64() * 1e3;
    match status {
        // What asks whether the server is ready gets 503 until it is.
        503 => debug!(%method, route, status, ms, "request"),
        500.. => warn!(%method, route, status, ms, "request"),
        _ => debug!(%method, route, status, ms, "request"),
    }
    response
}

/// Answers only while the server serves, and in time.
async fn bounded(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let _accepted = match app.progress.accept() {
        Ok(accepted) => accepted,
        Err(phase) => {
            api::skip(request, &app.options.limits).await;
            return unavailable(phase).into_response();
        }
    };
    let limit = app.options.limits.request_time;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::timeout(limit.as_secs()).into_response(),
    }
}

/// Why nothing is answered in this phase.
pub(super) fn unavailable(phase: Phase) -> ApiError {
    ApiError::unavailable(match phase {
        Phase::Loading => "the models are still loading",
        Phase::Serving => "the server is not ready",
        Phase::Draining => "the server is shutting down",
    })
}

/// Lets clients in, with the token if there is one.
async fn client(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let is_let_in = app.options.token.as_ref().is_none_or(|token| presents(&request, token));
    let_in(is_let_in, &app, request, next).await
}

/// Lets those in who may load and unload models.
async fn admin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let is_let_in = app.options.admin_token.as_ref().is_some_and(|token| presents(&request, token));
    let_in(is_let_in, &app, request, next).await
}

async fn let_in(is_let_in: bool, app: &App, request: Request, next: Next) -> Response {
    if is_let_in {
        return next.run(request).await;
    }
    api::skip(request, &app.options.limits).await;
    ApiError::unauthorized().into_response()
}

/// Whether the request has the header `Authorization: Bearer TOKEN`.
fn presents(request: &Request, token: &Secret) -> bool {
    let header = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let Some((scheme, given)) = header.split_at_checked("Bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"Bearer ") && token.is(given.trim_ascii())
}
