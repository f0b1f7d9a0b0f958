//! Errors as clients see them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::json::json;

/// An error as a client sees it: `{"error": "...", "error_type": "..."}`, the shape of Hugging Face's servers.
///
/// It names nothing of the machine: no path, no cause that a library gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    kind: &'static str,
    message: String,
    header: Option<(header::HeaderName, HeaderValue)>,
}

/// What is wrong.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ErrorBody {
    /// What is wrong and what was expected, in one sentence.
    #[schema(example = "task: unknown task \"hone\"; known: home, media, travel")]
    error: String,
    /// The kind of error, for programs.
    #[schema(example = "validation")]
    error_type: String,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), header: None }
    }

    fn with(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// 400: the body is no JSON.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    /// 401: no token or another one.
    pub(super) fn unauthorized() -> Self {
        let error = Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "this server wants a token; send the header `Authorization: Bearer TOKEN`",
        );
        error.with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 404: there is no such thing.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405: the route has other methods.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this route does not have this method")
    }

    /// 408: the client takes too long to send its request.
    pub(super) fn slow_client(seconds: u64) -> Self {
        let message = format!("the body of the request did not arrive within {seconds} s");
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
            .with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// 409: something is there already.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 413: more than a limit allows.
    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// 413: the body has more than `most` bytes. What is left of it is not read, so the connection ends.
    pub(super) fn body_too_large(most: usize) -> Self {
        Self::too_large(format!("the body has more than {most} bytes; send fewer texts at once"))
            .with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// 415: another type of content.
    pub(super) fn unsupported() -> Self {
        let message = "the body must be JSON; send the header `Content-Type: application/json`";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    }

    /// 422: a field has a wrong value. `message` begins with its path.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation", message)
    }

    /// 429: too many requests wait.
    pub(super) fn overloaded() -> Self {
        let message = "too many requests are waiting; try again later";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", message)
            .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 500: the server's fault.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "backend", message)
    }

    /// 503: not yet, or no longer.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unhealthy", message)
            .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 504: labelling takes too long.
    pub(super) fn timeout(seconds: u64) -> Self {
        let message = format!("the request was not answered within {seconds} s");
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, kind, message, header } = self;
        let mut response = json(status, &ErrorBody { error: message, error_type: kind.to_owned() });
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
