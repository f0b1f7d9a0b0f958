//! `GET /`: a page to try the server.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

const PAGE: &str = include_str!("../page.html");

/// The page loads nothing from elsewhere, and may not.
const POLICY: &str = "default-src 'none'; connect-src 'self'; img-src data:; script-src 'unsafe-inline'; style-src \
                      'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page to try the server
#[utoipa::path(get, path = "/", responses((status = 200, description = "A page", body = String, content_type = "text/html")))]
pub(in crate::serve) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, PAGE).into_response()
}
